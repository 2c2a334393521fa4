import { EventEmitter } from "node:events";
import { isDeepStrictEqual } from "node:util";
import {
  type GatewayStep,
  type MappingEvent,
  PortMapError,
  PortMapper,
  type PortMapping,
  type Via,
} from "../gateway/index.ts";
import { IceMux } from "../ice/index.ts";
import {
  natBehaviour,
  openTurnRelay,
  probePort,
  type StunServerOutcome,
  stunBinding,
  type TurnServer,
} from "../stun/index.ts";
import { addressScope } from "../udp/address-scope.ts";
import type { Endpoint } from "../udp/endpoint.ts";
import { UDPServer } from "../udp/udp-server.ts";
import { UDPSocket } from "../udp/udp-socket.ts";
import { feedCandidates } from "./candidates.ts";
import { type InterfaceAddress, usableInterfaces } from "./interfaces.ts";
import type { Reachability, Step } from "./reachability.ts";
import { RelayRung } from "./relay.ts";
import { assess, type Findings, isDialable, type ReflexiveFinding } from "./verdict.ts";

export interface ConnectivityOptions {
  /** The game's port, UDP and TCP, 0-65535; 0 takes a free one. Default 7777. */
  port?: number;
  /** Address to bind to. Default `*`: all, IPv4 and IPv6. */
  address?: string;
  /** What the router's page shows beside the mapping. Default "Sallyport". */
  description?: string;
  /** `both` asks for one external number for UDP and TCP, as a game with a WebSocket fallback wants. Default `both`. */
  protocol?: "udp" | "both";
  /** Which gateway protocols may be used; an empty list asks no router. Default: `SALLYPORT_VIA` (`none`, or names with commas), or all. */
  via?: readonly Via[];
  /** STUN servers, `host:port` or `stun:` URLs. Default: `SALLYPORT_STUN_URLS`, separated by commas or blanks. */
  stunServers?: readonly string[];
  /** TURN servers, with credentials, for players who cannot be reached otherwise. Default none. */
  turnServers?: readonly TurnServer[];
  /** How long a mapping lasts without renewal, s. Default 7200. */
  lifetimeSeconds?: number;
  /** How often everything is asked anew although nothing seems wrong, ms. Default: `SALLYPORT_RENEW_INTERVAL_MS`, or 300 000. */
  renewIntervalMs?: number;
  /** `open()` answers after this many ms at the latest, and improves its answer by `change` events. Default 1000. */
  openTimeoutMs?: number;
}

export interface ConnectivityEvents {
  /** What is known has changed: a better endpoint, a lost one, a new reason. */
  change: [reachability: Reachability];
  /** One step of the ladder ended, or ended differently than before. */
  step: [step: Step];
}

/** Parts that tests replace. */
export interface ConnectivityParts {
  createMapper(
    options: ConstructorParameters<typeof PortMapper>[0],
  ): Pick<PortMapper, "map" | "gateways" | "refresh" | "close" | "on">;
  stun: typeof stunBinding;
  natBehaviour: typeof natBehaviour;
  relay: typeof openTurnRelay;
  probe: typeof probePort;
  interfaces(): InterfaceAddress[];
}

const REAL_PARTS: ConnectivityParts = {
  createMapper: (options) => new PortMapper(options),
  stun: stunBinding,
  natBehaviour,
  relay: openTurnRelay,
  probe: probePort,
  interfaces: usableInterfaces,
};

/** A NAT forgets an idle UDP mapping after 30 s on Linux; RFC 4787 asks for 2 min and few obey. */
const KEEP_ALIVE_MS = 20_000;
const LOOPBACK_ONLY = "The game listens on this machine's loopback address alone, which nobody else can reach.";
/** The players' packets of a whole tick must fit, and the system's default holds fewer than a hundred. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
const WATCH_INTERFACES_MS = 3_000;
const STUN_TIMEOUT_MS = 3_000;
/** `close()` waits this long for routers that no longer answer. */
const CLOSE_TIMEOUT_MS = 4_000;

/**
 * Climbs the ladder for one game port: interfaces, port mapping and STUN at once. It stands on the best rung that holds, keeps
 * it, and says in plain words what it found.
 */
export class ConnectivityManager extends EventEmitter<ConnectivityEvents> implements AsyncDisposable {
  readonly #options: Required<ConnectivityOptions>;
  readonly #parts: ConnectivityParts;
  readonly #steps = new Map<string, Step>();
  readonly #mappings = new Set<PortMapping>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #abort = new AbortController();
  #socket: UDPSocket | undefined;
  #udp: UDPServer | undefined;
  #mapper: ReturnType<ConnectivityParts["createMapper"]> | undefined;
  #interfaces: InterfaceAddress[] = [];
  #reflexive: ReflexiveFinding[] = [];
  #behaviour: Findings["behaviour"];
  #probe: Findings["probe"];
  /** A STUN server with two addresses, which can prove and discover more (RFC 5780). */
  #examiner: { server: string; address: Endpoint } | undefined;
  #relay: RelayRung | undefined;
  #ice: IceMux | undefined;
  #reachability: Reachability | undefined;
  #settled: Promise<void> = Promise.resolve();
  #opening: Promise<Reachability> | undefined;
  #closing: Promise<void> | undefined;
  #asking: Promise<void> | undefined;

  constructor(options: ConnectivityOptions = {}, parts: Partial<ConnectivityParts> = {}) {
    super();
    this.#options = withDefaults(options);
    this.#parts = { ...REAL_PARTS, ...parts };
  }

  /** The game's socket, which STUN shares. Throws before `open()` and after `close()`. */
  get socket(): UDPSocket {
    if (!this.#socket) throw new Error("The ConnectivityManager is not open: call open() first.");
    return this.#socket;
  }

  /** A UDPServer on the game's socket, as in Godot. */
  get udp(): UDPServer {
    this.#udp ??= UDPServer.fromSocket(this.socket);
    return this.#udp;
  }

  /**
   * ICE for many peers on the game's socket (RFC 8445), with the candidates that the ladder finds, as it finds them. It takes
   * no packet of the game's.
   */
  get ice(): IceMux {
    if (!this.#ice) {
      this.#ice = new IceMux(this.socket);
      feedCandidates(this.#ice, this);
      if (this.#relay?.relay) this.#ice.addRelay(this.#relay.relay);
    }
    return this.#ice;
  }

  /** The port that the game's socket is bound to. */
  get port(): number {
    return this.#socket?.localPort ?? this.#options.port;
  }

  /** What is known now. */
  get reachability(): Reachability {
    this.#reachability ??= this.#assess();
    return this.#reachability;
  }

  /**
   * Binds the game's port without climbing yet, for a caller that has to know at once whether it is free. Idempotent.
   * @param port instead of the options' port
   * @throws UDPSocketError when the port cannot be bound
   */
  bind(port: number = this.#options.port, address: string = this.#options.address): UDPSocket {
    if (this.#closing) throw new Error("The ConnectivityManager is closed.");
    this.#socket ??= UDPSocket.open({ port, address, receiveBufferSize: RECEIVE_BUFFER_BYTES });
    return this.#socket;
  }

  /**
   * Binds the game's port and starts to climb. Answers as soon as a stranger can dial in, or all rungs were tried, or `openTimeoutMs`
   * has passed; what is learnt later comes as `change`.
   * @throws UDPSocketError when the port cannot be bound, AbortError when `signal` aborts. Anything else is a step with a reason.
   */
  open({ signal }: { signal?: AbortSignal } = {}): Promise<Reachability> {
    this.#opening ??= this.#open(signal);
    return this.#opening;
  }

  /** Resolves when every rung has been tried once and the NAT was examined: at most some seconds after `open()`. */
  async settled(): Promise<Reachability> {
    await this.#opening;
    await this.#settled;
    return this.reachability;
  }

  /** Other STUN servers from now on, as a lobby names them; asked at once if the port is open. */
  async useStunServers(servers: readonly string[]): Promise<void> {
    this.#options.stunServers = servers;
    if (!this.#socket || this.#abort.signal.aborted) return;
    await this.#asking;
    await this.#askStun();
    await this.#examine();
  }

  /** Other TURN servers from now on, or newer credentials; a relay that stands is kept while it holds. */
  async useTurnServers(servers: readonly TurnServer[]): Promise<void> {
    this.#options.turnServers = servers;
    if (this.#relay) this.#relay.servers = servers;
    else await this.#openRelay();
  }

  /** Asks everything anew, as after a change of network. */
  async refresh(): Promise<Reachability> {
    this.#updateInterfaces();
    this.#mapper?.refresh();
    await this.#askStun();
    if (this.#behaviour === undefined) await this.#examine();
    return this.reachability;
  }

  /** Unmaps, closes the socket, and leaves nothing behind. Bounded by 4 s; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(signal: AbortSignal | undefined): Promise<Reachability> {
    signal?.throwIfAborted();
    this.bind();
    const onAbort = (): void => void this.close();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      this.#updateInterfaces();
      const rungs = Promise.all([this.#map(), this.#askStun(), this.#openRelay()]);
      this.#settled = rungs.then(() => this.#examine());
      this.#settled.catch(() => {});
      this.#watch();
      await this.#firstUsable(rungs);
      signal?.throwIfAborted();
      return this.reachability;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves when waiting longer could not make the person happier, or when it would try their patience. */
  #firstUsable(rungs: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.off("change", check);
        this.#abort.signal.removeEventListener("abort", done);
        resolve();
      };
      const check = (): void => {
        if (
          this.reachability.endpoints.some(
            (endpoint) => endpoint.protocol === "udp" && isDialable(endpoint, this.reachability.nat),
          )
        )
          done();
      };
      const timer = setTimeout(done, this.#options.openTimeoutMs);
      this.on("change", check);
      this.#abort.signal.addEventListener("abort", done, { once: true });
      void rungs.then(done, done);
      check();
    });
  }

  async #map(): Promise<void> {
    const { via, protocol, description, lifetimeSeconds, renewIntervalMs } = this.#options;
    if (via.length === 0 || this.#isLoopback) {
      const reason = this.#isLoopback ? LOOPBACK_ONLY : "Switched off: no router is asked.";
      for (const step of ["pcp", "nat-pmp", "upnp"]) this.#step({ step, outcome: "skipped", ms: 0, reason });
      return;
    }
    const mapper = this.#parts.createMapper({ via: [...via], renewIntervalMs, signal: this.#abort.signal });
    this.#mapper = mapper;
    mapper.on("mapped", ({ mapping }) => this.#adopt(mapping));
    try {
      const mapping = await mapper.map(
        { internalPort: this.port, protocol, description, application: description, lifetimeSeconds },
        { signal: this.#abort.signal, onStep: (step) => this.#step(plainStep(step)) },
      );
      this.#adopt(mapping);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (error instanceof PortMapError) for (const step of error.steps) this.#step(plainStep(step));
      else
        this.#step({ step: "upnp", outcome: "failed", ms: 0, reason: `Asking the router failed: ${messageOf(error)}` });
    }
  }

  #adopt(mapping: PortMapping): void {
    if (this.#mappings.has(mapping)) return;
    this.#mappings.add(mapping);
    const say =
      (outcome: Step["outcome"]) =>
      ({ reason, ms }: MappingEvent): void => {
        this.#step({ step: mapping.via, outcome, ms, reason });
        this.#update();
      };
    mapping.on("mapped", say("ok"));
    mapping.on("changed", (event) => {
      // The old proof says nothing of the new way.
      this.#probe = undefined;
      say("ok")(event);
    });
    mapping.on("lost", say("failed"));
    mapping.on("renewed", () => this.#update());
    mapping.on("unmapped", () => {
      this.#mappings.delete(mapping);
      this.#update();
    });
    this.#update();
  }

  /** One question at a time; whoever asks meanwhile gets the same answer. */
  #askStun(): Promise<void> {
    this.#asking ??= this.#stun().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #stun(): Promise<void> {
    const { stunServers } = this.#options;
    const socket = this.#socket;
    if (!socket || this.#abort.signal.aborted) return;
    if (this.#isLoopback) {
      this.#step({ step: "stun", outcome: "skipped", ms: 0, reason: LOOPBACK_ONLY });
      return;
    }
    if (stunServers.length === 0) {
      const reason = "No STUN server is known: set SALLYPORT_STUN_URLS, or give a lobby, to learn the public address.";
      this.#step({ step: "stun", outcome: "skipped", ms: 0, reason });
      return;
    }
    const start = performance.now();
    const seen: ReflexiveFinding[] = [];
    const outcomes = await this.#parts.stun(socket, stunServers, {
      timeoutMs: STUN_TIMEOUT_MS,
      signal: this.#abort.signal,
      onOutcome: ({ server, mapped }) => {
        if (mapped) seen.push({ server, ...mapped });
        // The first answer is shown at once; when asking anew, the old answers stand until all have been heard.
        if (this.#reflexive.length <= seen.length) this.#reflexive = [...seen];
        this.#update();
      },
    });
    if (this.#abort.signal.aborted) return;
    this.#reflexive = seen;
    this.#examiner = outcomes.flatMap(examinerOf)[0];
    const ms = Math.round(performance.now() - start);
    const failures = outcomes.flatMap(({ server, error }) => (error ? [`${server}: ${messageOf(error)}`] : []));
    if (seen.length > 0) {
      const [first] = seen;
      this.#step({
        step: "stun",
        outcome: "ok",
        ms,
        reason: `${first?.server} sees this socket as ${first?.address}:${first?.port}.`,
      });
    } else {
      this.#step({ step: "stun", outcome: "failed", ms, reason: `No STUN server answered (${failures.join("; ")}).` });
    }
    this.#update();
  }

  /** Once everything is known that is quick to know: is the mapping true, and how does the NAT behave? */
  async #examine(): Promise<void> {
    const socket = this.#socket;
    const examiner = this.#examiner;
    if (!socket || !examiner || this.#abort.signal.aborted) return;
    const { signal } = this.#abort;
    const [mapping] = this.#held();
    // Before the NAT is examined, since that opens the filter for the very addresses that the proof comes from.
    if (mapping) {
      const began = performance.now();
      const result = await this.#parts.probe(socket, examiner.address, mapping.externalPort, { signal });
      const ms = Math.round(performance.now() - began);
      const port = `${mapping.externalAddress}:${mapping.externalPort}`;
      this.#probe = result === "unsupported" ? undefined : result;
      if (result === "arrived") {
        this.#step({
          step: "probe",
          outcome: "ok",
          ms,
          reason: `A packet that nobody here asked for came in by ${port}.`,
        });
      } else if (result === "silent") {
        const reason = `The router says that it forwards ${port}, but no packet from outside came in: a firewall or another NAT stands before it.`;
        this.#step({ step: "probe", outcome: "failed", ms, reason });
      }
    }
    if (this.#behaviour !== undefined || signal.aborted) return;
    const {
      mapping: mapped,
      filtering,
      hairpinning,
      portPreservation,
    } = await this.#parts.natBehaviour(socket, examiner.server, { signal });
    if (signal.aborted || mapped === "unknown") return;
    this.#behaviour = { mapping: mapped, filtering, hairpinning, portPreservation };
    this.#update();
  }

  get #isLoopback(): boolean {
    return addressScope(this.#socket?.localAddress ?? "") === "loopback";
  }

  /** Of a socket that is bound to one address, that address alone. */
  #ownInterfaces(): InterfaceAddress[] {
    const bound = this.#socket?.localAddress ?? "*";
    if (this.#isLoopback) return [{ name: "loopback", address: bound }];
    const all = this.#parts.interfaces();
    return bound === "::" || bound === "0.0.0.0" ? all : all.filter(({ address }) => address === bound);
  }

  async #openRelay(): Promise<void> {
    const { turnServers } = this.#options;
    if (turnServers.length === 0 || this.#relay || !this.#socket || this.#abort.signal.aborted) return;
    const rung = new RelayRung({
      socket: this.#socket,
      servers: turnServers,
      signal: this.#abort.signal,
      open: this.#parts.relay,
      onStep: (step) => this.#step(step),
      onRelay: (relay, lost) => {
        if (lost) this.#ice?.removeBase(lost.id);
        if (relay) this.#ice?.addRelay(relay);
        this.#update();
      },
    });
    this.#relay = rung;
    await rung.opened;
  }

  #updateInterfaces(): void {
    const start = performance.now();
    this.#interfaces = this.#ownInterfaces();
    const addresses = this.#interfaces.map(({ name, address }) => `${address} (${name})`);
    const ms = Math.round(performance.now() - start);
    this.#step(
      addresses.length > 0
        ? { step: "interfaces", outcome: "ok", ms, reason: `Found ${addresses.join(", ")}.` }
        : {
            step: "interfaces",
            outcome: "absent",
            ms,
            reason: "No network interface is up: check the cable or the Wi-Fi.",
          },
    );
  }

  #watch(): void {
    const every = (ms: number, work: () => void): void => {
      const timer = setInterval(work, ms);
      timer.unref();
      this.#timers.push(timer);
    };
    every(WATCH_INTERFACES_MS, () => {
      if (isDeepStrictEqual(this.#ownInterfaces(), this.#interfaces)) return;
      // Another network has another NAT.
      this.#behaviour = undefined;
      void this.refresh();
    });
    every(this.#options.renewIntervalMs, () => void this.refresh());
    // While the punched way is the only one, the NAT's memory of this socket must be kept alive.
    every(KEEP_ALIVE_MS, () => {
      if (this.#held().length === 0 && this.#reflexive.length > 0) void this.#askStun();
    });
  }

  #step(step: Step): void {
    const previous = this.#steps.get(step.step);
    this.#steps.set(step.step, step);
    if (previous?.outcome === step.outcome && previous.reason === step.reason) return;
    this.emit("step", step);
    this.#update();
  }

  #update(): void {
    if (this.#abort.signal.aborted) return;
    const before = this.#reachability;
    this.#reachability = this.#assess();
    if (!before || !isDeepStrictEqual(lasting(before), lasting(this.#reachability)))
      this.emit("change", this.#reachability);
  }

  #held(): PortMapping[] {
    return [...this.#mappings].filter(({ state }) => state === "mapped");
  }

  #assess(): Reachability {
    return assess({
      localPort: this.port,
      interfaces: this.#interfaces,
      mappings: this.#held().flatMap((mapping) =>
        (mapping.protocol === "both" ? (["udp", "tcp"] as const) : [mapping.protocol]).map((protocol) => ({
          protocol,
          address: mapping.externalAddress,
          port: mapping.externalPort,
          via: mapping.via,
          expiresAt: mapping.expiresAt,
          verified: mapping.verified,
          gatewayName: mapping.gateway.name,
        })),
      ),
      reflexive: this.#reflexive,
      behaviour: this.#behaviour,
      relayed: this.#relay?.relay ? [{ ...this.#relay.relay.relayed, expiresAt: 0 }] : [],
      probe: this.#probe,
      gateways: this.#mapper?.gateways() ?? [],
      steps: [...this.#steps.values()],
    });
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.#ice?.close();
    const work = [this.#mapper?.close(), this.#relay?.close()];
    await within(Promise.all(work), CLOSE_TIMEOUT_MS);
    this.#mappings.clear();
    this.#udp?.stop();
    await this.#socket?.close();
    this.#socket = undefined;
  }
}

function examinerOf({ server, address, otherAddress }: StunServerOutcome): { server: string; address: Endpoint }[] {
  return address && otherAddress && otherAddress.address !== address.address ? [{ server, address }] : [];
}

const plainStep = ({ step, outcome, ms, reason }: GatewayStep): Step => ({ step, outcome, ms, reason });

/** Without what changes at every look: times. */
function lasting(reachability: Reachability): unknown {
  return {
    ...reachability,
    endpoints: reachability.endpoints.map((endpoint) => ({ ...endpoint, expiresAt: endpoint.expiresAt === 0 })),
    steps: reachability.steps.map((step) => ({ ...step, ms: 0 })),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => {}), limit]);
  clearTimeout(timer);
}

function withDefaults(options: ConnectivityOptions): Required<ConnectivityOptions> {
  const port = options.port ?? 7777;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`port is ${port}; give a whole number from 0 to 65535 (0 takes a free one)`);
  }
  return {
    port,
    address: options.address ?? "*",
    description: options.description ?? "Sallyport",
    protocol: options.protocol ?? "both",
    via: options.via ?? protocolsFromEnvironment(),
    stunServers: options.stunServers ?? serversFromEnvironment(),
    turnServers: options.turnServers ?? [],
    lifetimeSeconds: options.lifetimeSeconds ?? 7200,
    renewIntervalMs: options.renewIntervalMs ?? fromEnvironment("SALLYPORT_RENEW_INTERVAL_MS", 300_000),
    openTimeoutMs: options.openTimeoutMs ?? 1000,
  };
}

function fromEnvironment(name: string, fallback: number): number {
  const value = Number(process.env[name]);
  return Number.isFinite(value) && value > 0 ? value : fallback;
}

function protocolsFromEnvironment(): Via[] {
  const named = process.env["SALLYPORT_VIA"]?.split(/[\s,]+/);
  return (["pcp", "nat-pmp", "upnp"] as const).filter((via) => named === undefined || named.includes(via));
}

function serversFromEnvironment(): string[] {
  return (process.env["SALLYPORT_STUN_URLS"] ?? "").split(/[\s,]+/).filter(Boolean);
}
