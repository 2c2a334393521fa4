import type { AddressInfo } from "node:net";
import { matchMaker } from "@colyseus/core";
import type { Reachability } from "../../../connectivity/reachability.ts";
import { LanAnnouncer, type LanAnnouncerOptions } from "../../../lan/announcer.ts";
import { type LanNetworkState } from "../../../lan/network.ts";
import { DEFAULT_APPLICATION, type LanDetails } from "../../../lan/packet.ts";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { printable } from "../../../net/printable.ts";
import { addressScope } from "../../../net/scope.ts";
import { diagnose } from "../observability/diagnostics.ts";

/** The transport's option `lan`: how the game is announced on the local network. */
export interface LanListingOptions extends Pick<LanAnnouncerOptions, "announcePort" | "network"> {
  /** Which game this is: players search for it by the same word. Default "sallyport", as theirs. Up to 64 bytes. */
  application?: string | undefined;
  /** What players see. Default: the transport's description. Up to 128 bytes. */
  name?: string | undefined;
  /** Default: that of `listing`, or not said. */
  maxPlayers?: number | undefined;
  /** Compared by nobody but the game. Up to 32 bytes. */
  version?: string | undefined;
}

/** What a transport's options say of its game. */
export interface DescribedGame {
  lan?: boolean | LanListingOptions;
  description?: string;
  listing?: { name?: string; maxPlayers?: number };
}

/** How often the number of players is looked at, and whether announcing still works, ms. */
const LOOK_MS = 1000;
const NOWHERE: LanNetworkState = { addresses: [], problem: "" };

/**
 * Announces a game on the local networks of this machine as long as it is hosted, with its players and its port. Where that cannot be
 * done the game goes on without, and {@link LanListing.state} says why.
 */
export class LanListing {
  /** Called when {@link LanListing.state} has changed. */
  onChange: ((state: LanNetworkState) => void) | null = null;
  readonly #options: LanListingOptions;
  readonly #details: Omit<LanDetails, "port" | "players">;
  readonly #reachability: () => Reachability | undefined;
  #announcer: LanAnnouncer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: LanNetworkState = NOWHERE;

  /** As a transport's options say; undefined where they or the environment switch it off. */
  static for(options: DescribedGame, reachability: () => Reachability | undefined): LanListing | undefined {
    const { lan = true, listing, description } = options;
    if (lan === false || process.env["SALLYPORT_LAN"] === "none") return undefined;
    const game = { name: listing?.name ?? description, maxPlayers: listing?.maxPlayers };
    return new LanListing({ ...game, ...(lan === true ? {} : lan) }, reachability);
  }

  /**
   * @param reachability what the internet knows of this host, if anybody knows
   * @throws RangeError for an application without a name
   */
  constructor(options: LanListingOptions, reachability: () => Reachability | undefined) {
    const { application = DEFAULT_APPLICATION, name = "", maxPlayers = 0, version = "" } = options;
    if (printable(application) === "") throw new RangeError("lan.application must not be empty");
    this.#options = options;
    this.#details = { application, name: printable(name) || "Sallyport", maxPlayers, version };
    this.#reachability = reachability;
  }

  /** Where it is announced, `192.168.1.10`, and in plain words what stands in the way. */
  get state(): LanNetworkState {
    return this.#state;
  }

  /** @param bound where the game listens */
  open({ address, port }: Pick<AddressInfo, "address" | "port">): void {
    if (addressScope(address) === "loopback") {
      return this.#report({ addresses: [], problem: `The game listens on ${address} alone: nobody else can join.` });
    }
    const { network, announcePort } = this.#options;
    const isAny = address === "::" || address === "0.0.0.0";
    this.#announcer = new LanAnnouncer(
      { ...this.#details, port },
      {
        ...(network && { network }),
        announcePort,
        address: isAny ? undefined : address,
        isKnownAs: (endpoint) => isKnownAs(endpoint, port, this.#reachability()),
      },
    );
    let players = 0;
    this.#timer = setInterval(() => {
      const { ccu } = matchMaker.stats.local;
      if (ccu !== players) this.#announcer?.update({ players: (players = ccu) });
      this.#look();
    }, LOOK_MS).unref();
    this.#look();
  }

  /** Says goodbye. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#announcer?.close();
    this.#state = NOWHERE;
  }

  #look(): void {
    const { addresses, problem } = this.#announcer?.state ?? NOWHERE;
    const reason =
      problem === "" && addresses.length === 0 ? "No network interface leads to a local network." : problem;
    this.#report({ addresses, problem: reason });
  }

  #report(state: LanNetworkState): void {
    const isNews = JSON.stringify(state) !== JSON.stringify(this.#state);
    this.#state = state;
    if (!isNews) return;
    diagnose("sallyport:lan", () => state);
    this.onChange?.(state);
  }
}

/** @param endpoint `203.0.113.7:7777`, as a player was given it */
export function isKnownAs(endpoint: string, port: number, reachability: Reachability | undefined): boolean {
  const outside = reachability?.endpoints.filter(({ kind }) => kind === "mapped" || kind === "reflexive") ?? [];
  const mapped = outside.filter(({ kind, protocol }) => kind === "mapped" && protocol === "tcp");
  if (mapped.length > 0) return mapped.some((each) => formatEndpoint(each) === endpoint);
  // A port that was forwarded by hand has the same number inside and outside.
  return outside.some(({ address }) => formatEndpoint({ address, port }) === endpoint);
}
