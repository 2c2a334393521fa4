import { EventEmitter } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { IceMux } from "../ice/mux.ts";
import type { TurnServer } from "../turn/open.ts";
import { addressScope } from "../udp/address-scope.ts";
import { UDPServer } from "../udp/udp-server.ts";
import { UDPSocket } from "../udp/udp-socket.ts";
import { feedCandidates } from "./candidates.ts";
import { type Clock, delay, every, stopwatch } from "./clock.ts";
import { type ConnectivityDependencies, REAL_DEPENDENCIES } from "./dependencies.ts";
import type { InterfaceAddress } from "./interfaces.ts";
import { type ConnectivityOptions, withDefaults } from "./options.ts";
import { isSameReachability, type Reachability, type Step } from "./reachability.ts";
import { DetectionRung } from "./rungs/detection.ts";
import { NatKeepAlive } from "./rungs/keep-alive.ts";
import type { OnSilence } from "./rungs/lifetime.ts";
import { MappingRung } from "./rungs/mapping.ts";
import { RelayRung } from "./rungs/relay.ts";
import { LOOPBACK_ONLY, type RungContext } from "./rungs/rung.ts";
import { assess, isDialable } from "./verdict.ts";

export interface ConnectivityEvents {
  /** What is known has changed: a better endpoint, a lost one, a new reason. */
  change: [reachability: Reachability];
  /** One step of the ladder ended, or ended differently than before. */
  step: [step: Step];
}

/** The players' packets of a whole tick must fit, and the system's default holds fewer than a hundred. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
const WATCH_INTERFACES_MS = 3_000;
/** `close()` waits this long for routers that no longer answer. */
const CLOSE_TIMEOUT_MS = 4_000;

/**
 * Climbs the ladder for one game port: interfaces, port mapping, STUN and TURN at once. It stands on the best rung that holds,
 * keeps it, and says in plain words what it found.
 */
export class ConnectivityManager extends EventEmitter<ConnectivityEvents> implements AsyncDisposable {
  readonly #options: Required<ConnectivityOptions>;
  readonly #dependencies: ConnectivityDependencies;
  readonly #steps = new Map<string, Step>();
  readonly #abort = new AbortController();
  #socket: UDPSocket | undefined;
  #udp: UDPServer | undefined;
  #ice: IceMux | undefined;
  #interfaces: InterfaceAddress[] = [];
  #mapping: MappingRung | undefined;
  #detection: DetectionRung | undefined;
  #natKeepAlive: NatKeepAlive | undefined;
  #relay: RelayRung | undefined;
  readonly #extraPorts = new Set<number>();
  #reachability: Reachability | undefined;
  #settled: Promise<void> = Promise.resolve();
  #opening: Promise<Reachability> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options?: ConnectivityOptions);
  constructor(options: ConnectivityOptions = {}, dependencies: Partial<ConnectivityDependencies> = {}) {
    super();
    this.#options = withDefaults(options);
    this.#dependencies = { ...REAL_DEPENDENCIES, ...dependencies };
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
      this.#ice.fitKeepAlive(this.#natKeepAlive?.lifetimeSeconds ?? null);
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

  /**
   * Learns how long the NAT remembers a silent mapping, by sockets of its own; takes minutes, and joins a measurement that is
   * under way. The result is `nat.mappingLifetimeSeconds`, with a step in words, and keep-alives are fitted to it. Where invites
   * depend on it, this is done in the background without being asked for.
   * @param onSilence called for each silence that was tried
   */
  async measureLifetime(onSilence?: OnSilence): Promise<Reachability> {
    await this.settled();
    await this.#natKeepAlive?.measure(onSilence);
    return this.reachability;
  }

  /** Other STUN servers from now on, as a lobby names them; asked at once if the port is open. */
  async useStunServers(servers: readonly string[]): Promise<void> {
    this.#options.stunServers = servers;
    if (this.#abort.signal.aborted) return;
    await this.#detection?.use(servers);
    await this.#examine();
    this.#measureIfNeeded();
  }

  /** Other TURN servers from now on, or newer credentials; a relay that stands is kept while it holds. */
  async useTurnServers(servers: readonly TurnServer[]): Promise<void> {
    this.#options.turnServers = servers;
    if (this.#relay) this.#relay.servers = servers;
    else if (this.#opening) await this.#openRelay();
  }

  /**
   * Has the routers forward another UDP port of this machine too, for a part of the game that cannot share its socket. The mapping
   * is renewed, and removed by `close()`, like the game's own; no reachability lists it. Without a router it keeps retrying in the
   * background.
   * @returns where the port is reached from outside at the moment; undefined while it is not
   */
  mapExtraPort(port: number): () => { address: string; port: number } | undefined {
    this.#extraPorts.add(port);
    this.#mapping?.mapExtraPort(port, this.#options);
    return () => this.#mapping?.extraEndpoint(port);
  }

  /** Asks everything anew, as after a change of network. */
  async refresh(): Promise<Reachability> {
    this.#updateInterfaces();
    this.#mapping?.refresh();
    await this.#detection?.ask();
    if (this.#detection?.behaviour === undefined) await this.#examine();
    this.#measureIfNeeded();
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
      const rungs = Promise.all([this.#map(), this.#detect(), this.#openRelay()]);
      this.#settled = rungs.then(() => this.#examine());
      this.#measureIfNeeded();
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
        cancel();
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
      const cancel = this.#dependencies.clock.after(this.#options.openTimeoutMs, done);
      this.on("change", check);
      this.#abort.signal.addEventListener("abort", done, { once: true });
      void rungs.then(done, done);
      check();
    });
  }

  #context(): RungContext {
    return {
      socket: this.socket,
      clock: this.#dependencies.clock,
      signal: this.#abort.signal,
      step: (step) => this.#step(step),
      update: () => this.#update(),
    };
  }

  async #map(): Promise<void> {
    const { via, protocol, description, lifetimeSeconds, renewIntervalMs } = this.#options;
    if (via.length === 0 || this.#isLoopback) {
      const reason = this.#isLoopback ? LOOPBACK_ONLY : "Switched off: no router is asked.";
      for (const step of ["pcp", "nat-pmp", "upnp"]) this.#step({ step, outcome: "skipped", ms: 0, reason });
      return;
    }
    const mapper = this.#dependencies.createMapper({ via: [...via], renewIntervalMs, signal: this.#abort.signal });
    this.#mapping = new MappingRung(this.#context(), mapper);
    this.#mapping.onChanged = () => {
      // The old proof says nothing of the new way.
      if (this.#detection) this.#detection.probe = undefined;
      this.#measureIfNeeded();
    };
    for (const port of this.#extraPorts) this.#mapping.mapExtraPort(port, this.#options);
    await this.#mapping.open({
      internalPort: this.port,
      protocol,
      description,
      application: description,
      lifetimeSeconds,
    });
  }

  async #detect(): Promise<void> {
    if (this.#isLoopback) {
      this.#step({ step: "stun", outcome: "skipped", ms: 0, reason: LOOPBACK_ONLY });
      return;
    }
    this.#detection = new DetectionRung(this.#context(), this.#dependencies, this.#options.stunServers);
    this.#natKeepAlive = new NatKeepAlive(this.#context(), {
      detection: this.#detection,
      dependencies: this.#dependencies,
      waitsMs: this.#options.lifetimeWaitsMs,
      isNeeded: () => this.#dependsOnNat,
      onLifetime: (seconds) => {
        this.#ice?.fitKeepAlive(seconds);
        this.#relay?.fitKeepAlive(seconds);
      },
    });
    await this.#detection.ask();
  }

  async #openRelay(): Promise<void> {
    const { turnServers } = this.#options;
    if (turnServers.length === 0 || this.#relay || this.#abort.signal.aborted) return;
    this.#relay = new RelayRung(this.#context(), turnServers, (relay, lost) => {
      if (lost) this.#ice?.removeBase(lost.id);
      if (relay) this.#ice?.addRelay(relay);
    });
    this.#relay.fitKeepAlive(this.#natKeepAlive?.lifetimeSeconds ?? null);
    await this.#relay.opened;
  }

  async #examine(): Promise<void> {
    const [held] = this.#mapping?.held ?? [];
    await this.#detection?.examine(held && { address: held.externalAddress, port: held.externalPort });
  }

  /** Whether players come by what the NAT remembers of this socket: by invite, or through a NAT that lets all in. */
  get #dependsOnNat(): boolean {
    return !this.#mapping?.held.length && this.reachability.nat.mapping !== "none";
  }

  /** In the background, once it is clear whether anybody depends on it. */
  #measureIfNeeded(): void {
    this.#settled.then(
      () => this.#natKeepAlive?.measureIfNeeded(),
      () => {},
    );
  }

  get #isLoopback(): boolean {
    return addressScope(this.#socket?.localAddress ?? "") === "loopback";
  }

  /** Of a socket that is bound to one address, that address alone. */
  #ownInterfaces(): InterfaceAddress[] {
    const bound = this.#socket?.localAddress ?? "*";
    if (this.#isLoopback) return [{ name: "loopback", address: bound }];
    const all = this.#dependencies.interfaces();
    return bound === "::" || bound === "0.0.0.0" ? all : all.filter(({ address }) => address === bound);
  }

  #updateInterfaces(): void {
    const elapsedMs = stopwatch(this.#dependencies.clock);
    this.#interfaces = this.#ownInterfaces();
    const addresses = this.#interfaces.map(({ name, address }) => `${address} (${name})`);
    const ms = elapsedMs();
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
    const { clock } = this.#dependencies;
    const { signal } = this.#abort;
    every(clock, WATCH_INTERFACES_MS, signal, () => {
      if (isDeepStrictEqual(this.#ownInterfaces(), this.#interfaces)) return;
      this.#detection?.forget();
      this.#natKeepAlive?.forget();
      void this.refresh();
    });
    every(clock, this.#options.renewIntervalMs, signal, () => void this.refresh());
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
    if (!before || !isSameReachability(before, this.#reachability)) this.emit("change", this.#reachability);
  }

  #assess(): Reachability {
    return assess({
      localPort: this.port,
      interfaces: this.#interfaces,
      mappings: this.#mapping?.findings ?? [],
      reflexive: this.#detection?.reflexive ?? [],
      behaviour: this.#detection?.behaviour,
      mappingLifetimeSeconds: this.#natKeepAlive?.lifetimeSeconds,
      probe: this.#detection?.probe,
      relayed: this.#relay?.relay ? [{ ...this.#relay.relay.relayed, expiresAt: 0 }] : [],
      gateways: this.#mapping?.gateways ?? [],
      steps: [...this.#steps.values()],
    });
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    this.#ice?.close();
    const work = Promise.all([this.#mapping?.close(), this.#relay?.close()]);
    await within(this.#dependencies.clock, work, CLOSE_TIMEOUT_MS);
    this.#udp?.stop();
    await this.#socket?.close();
    this.#socket = undefined;
  }
}

/** The manager with dependencies handed in, for tests: no door exports it, and the class' own type takes options alone. */
export const ManagerWithDependencies: new (
  options: ConnectivityOptions,
  dependencies: Partial<ConnectivityDependencies>,
) => ConnectivityManager = ConnectivityManager;

async function within(clock: Clock, work: Promise<unknown>, ms: number): Promise<void> {
  const over = new AbortController();
  await Promise.race([work.catch(() => {}), delay(clock, ms, over.signal)]);
  over.abort();
}
