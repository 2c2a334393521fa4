import { randomBytes } from "node:crypto";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { traceOf } from "../../net/trace.ts";
import { mintTurnCredentials, type TurnCredentials } from "../../turn/credentials.ts";
import { TurnRelayServer } from "../../turn/server/relay-server.ts";
import { ConnectivityManager } from "../manager/manager.ts";
import type { ConnectivityOptions } from "../options.ts";
import type { Reachability, ReachableEndpoint } from "../reachability.ts";
import { isDialable } from "../verdict.ts";
import { HOST_LABEL, mayReach } from "./labels.ts";
import { RelayPorts } from "./relay-ports.ts";

const trace = traceOf("turn");

/** What a player gives for the others of its game. */
export interface RelayingLimits {
  /** Most that is relayed over the long run, in kbit/s, both ways together. Above 0. */
  kbps: number;
  /** Most that is relayed in all, in GB (10^9 bytes). Above 0. */
  gb: number;
}

/** What a host needs to use a relay: its URLs, and the secret from which it mints credentials. */
export interface RelayOffer {
  urls: string[];
  secret: string;
}

/**
 * - `looking`: it is not known yet whether this machine is open or mapped
 * - `offering`: the others of the game may use it
 * - `unavailable`: nobody outside reaches this machine
 * - `spent`: `gb` is used up
 * - `closed`: it has ended
 */
export interface RelayingState {
  /** Whether others are relayed, in one word. */
  state: "looking" | "offering" | "unavailable" | "spent" | "closed";
  /** One sentence for the player. */
  reason: string;
  /** Relayed addresses that others have here now. */
  allocations: number;
  /** Relayed so far. */
  bytes: number;
}

export interface PlayerRelayOptions extends RelayingLimits {
  /** How this machine is made reachable: `via`, `gateway`, `stunServers` and others. */
  connectivity?: Pick<ConnectivityOptions, "via" | "gateway" | "stunServers" | "acceptPrivateAddress" | "signals">;
  onChange?: (state: RelayingState) => void;
}

/** Relayed addresses at a time: each costs a port of the router. */
const MAX_ALLOCATIONS = 16;
/** To an address that says nothing: some hundred checks of ICE, which open a translator. */
const UNANSWERED_BYTES = 16_384;
const LOOK_MS = 250;
/** One for the host, and one for this very machine, which may be relayed itself. */
const LEAST_PORTS = 2;
/** No datagram of a game is longer. */
const LEAST_BYTES = 1500;
const OWN_TTL_SECONDS = 3600;

const LOOKING = "Looking whether other players can reach this computer.";

/**
 * A player's own TURN server for the others of its game, where the internet reaches this machine: by an address of its own, or by a
 * port that the router forwards. What it relays is encrypted; it learns the addresses of those who use it.
 */
export class PlayerRelay implements AsyncDisposable {
  readonly #options: PlayerRelayOptions;
  readonly #manager: ConnectivityManager;
  readonly #secret: string = randomBytes(32).toString("base64url");
  #ports: RelayPorts | undefined;
  #server: TurnRelayServer | undefined;
  #offer: RelayOffer | undefined;
  #state: RelayingState = { state: "looking", reason: LOOKING, allocations: 0, bytes: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isSettled = false;
  #closing: Promise<void> | undefined;
  /** Called when `offer` is another. */
  onOffer: (() => void) | null = null;

  /** @throws RangeError for limits that are not above 0 */
  constructor(options: PlayerRelayOptions) {
    const { kbps, gb } = options;
    if (!(kbps > 0 && gb > 0)) throw new RangeError("relayForOthers needs kbps and gb, both above 0");
    this.#options = options;
    this.#manager = new ConnectivityManager({
      ...options.connectivity,
      port: 0,
      description: "Sallyport relay",
    });
    this.#manager.on("change", () => this.#look());
  }

  /** What the host is told; undefined while there is nothing to offer. */
  get offer(): RelayOffer | undefined {
    return this.#offer;
  }

  get state(): RelayingState {
    return this.#state;
  }

  /** Begins to look whether this machine is reachable. What comes of it, `onChange` and `onOffer` say. @throws UDPSocketError */
  async open(): Promise<void> {
    // Ports are mapped and sockets read in the background: nothing here keeps a process alive.
    this.#manager.bind().unref();
    this.#ports = new RelayPorts({ max: MAX_ALLOCATIONS, expose: (port) => this.#expose(port) });
    const { kbps, gb } = this.#options;
    const bytesPerSecond = (kbps * 1000) / 8;
    this.#server = await TurnRelayServer.openOn(this.#manager.socket, this.#ports, {
      secret: this.#secret,
      mayReach,
      limits: {
        allocations: MAX_ALLOCATIONS,
        allocationsPerUser: MAX_ALLOCATIONS,
        allocationsPerCaller: MAX_ALLOCATIONS / 2,
        bytesPerSecond,
        totalBytesPerSecond: bytesPerSecond,
        totalBytes: gb * 1e9,
        unansweredBytes: UNANSWERED_BYTES,
      },
    });
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    await this.#manager.open();
    this.#look();
    // Before, nobody may say that there is no way in.
    void this.#manager.settled().then(
      () => {
        this.#isSettled = true;
        this.#look();
      },
      () => {},
    );
  }

  /** For this very machine, whose router may not lead its packets back in. */
  ownAccess(): { urls: string } & TurnCredentials {
    const { username, credential } = mintTurnCredentials(this.#secret, {
      label: HOST_LABEL,
      ttlSeconds: OWN_TTL_SECONDS,
    });
    return { urls: `turn:127.0.0.1:${this.#server?.port ?? 0}?transport=udp`, username, credential };
  }

  /** Ends what it relays, and gives ports back. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#tell(undefined, "closed", "This computer relays for nobody any more.");
    await this.#server?.close();
    await Promise.all([this.#ports?.close(), this.#manager.close()]);
  }

  #expose(port: number): () => Endpoint | undefined {
    let ask: (() => Endpoint | undefined) | undefined;
    return () => {
      const own = entranceOf(this.#manager.reachability, "udp");
      if (own === undefined) return undefined;
      if (own.kind === "host") return { address: own.address, port };
      ask ??= this.#manager.mapExtraPort(port);
      const mapped = ask();
      return mapped && { address: own.address, port: mapped.port };
    };
  }

  #look(): void {
    if (this.#closing !== undefined || this.#server === undefined) return;
    const { reachability } = this.#manager;
    const udp = entranceOf(reachability, "udp");
    if (this.#server.bytesLeft < LEAST_BYTES) {
      return this.#tell(undefined, "spent", `The ${this.#options.gb} GB are used up: this computer relays no more.`);
    }
    if (udp === undefined) {
      const isKnown = reachability.steps.length > 0 && this.#isSettled;
      if (isKnown) return this.#tell(undefined, "unavailable", `This computer cannot relay. ${reachability.summary}`);
      return this.#tell(undefined, "looking", LOOKING);
    }
    // Later a moment without a free port is no reason to take the offer back: who asks then asks again.
    const isReady = this.#offer !== undefined || (this.#ports?.free ?? 0) >= LEAST_PORTS;
    if (!isReady) return this.#tell(undefined, "looking", LOOKING);
    const tcp = entranceOf(reachability, "tcp");
    const urls = [`turn:${formatEndpoint(udp)}?transport=udp`];
    if (tcp?.address === udp.address) urls.push(`turn:${formatEndpoint(tcp)}?transport=tcp`);
    const where = formatEndpoint(udp);
    this.#tell(
      { urls, secret: this.#secret },
      "offering",
      `Players of this game may be relayed by this computer, at ${where}.`,
    );
  }

  #tell(offer: RelayOffer | undefined, state: RelayingState["state"], reason: string): void {
    const isNews = JSON.stringify(offer) !== JSON.stringify(this.#offer);
    this.#offer = offer;
    const said: RelayingState = {
      state,
      reason,
      allocations: this.#server?.allocations ?? 0,
      bytes: this.#server?.counters.bytes ?? 0,
    };
    const before = this.#state;
    this.#state = said;
    if (before.state !== state || before.reason !== reason || before.allocations !== said.allocations) {
      if (trace.on) trace.event("relaying", { ...said });
      this.#options.onChange?.(said);
    }
    if (isNews) this.onOffer?.();
  }
}

/** Where a stranger gets in, by IPv4. */
function entranceOf({ endpoints, nat }: Reachability, protocol: "udp" | "tcp"): ReachableEndpoint | undefined {
  return endpoints.find(
    (each) =>
      each.protocol === protocol &&
      (each.kind === "host" || each.kind === "mapped") &&
      !each.address.includes(":") &&
      isDialable(each, nat),
  );
}
