import { EventEmitter } from "node:events";
import { exitGuard, type Guarded } from "../../gateway/exit-guard.ts";
import { IceMux } from "../../ice/mux.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { SERVER_RECEIVE_BUFFER_BYTES, UDPSocket } from "../../net/udp-socket.ts";
import { whileAwaited } from "../../net/wait.ts";
import type { TurnServer } from "../../turn/open.ts";
import { UDPServer } from "../../udp/udp-server.ts";
import { atMost, every } from "../clock.ts";
import { type ConnectivityDependencies, REAL_DEPENDENCIES } from "../dependencies.ts";
import { type ConnectivityOptions, withDefaults } from "../options.ts";
import type { Reachability, Step } from "../reachability.ts";
import { Ladder } from "../rungs/ladder.ts";
import type { OnSilence } from "../rungs/lifetime.ts";
import type { RungContext } from "../rungs/rung.ts";
import { feedIce } from "./candidates.ts";
import { firstUsable } from "./first-usable.ts";
import { Report } from "./report.ts";

/** Events of a {@link ConnectivityManager}. */
export interface ConnectivityEvents {
  /** What is known has changed: a better endpoint, a lost one, a new reason. */
  change: [reachability: Reachability];
  /** One step of the ladder ended, or ended differently than before. */
  step: [step: Step];
}

/** `close()` waits this long for routers that no longer answer. */
const CLOSE_TIMEOUT_MS = 4_000;
const NOTHING = { interfaces: [], mappings: [], reflexive: [], gateways: [] };

/**
 * Climbs the ladder for one game port: interfaces, port mapping, STUN and TURN in parallel. It keeps what it gets, and says in plain
 * words what it found.
 */
export class ConnectivityManager extends EventEmitter<ConnectivityEvents> implements AsyncDisposable {
  readonly #context: RungContext;
  readonly #ladder: Ladder;
  readonly #report: Report;
  readonly #abort = new AbortController();
  #socket: UDPSocket | undefined;
  #udp: UDPServer | undefined;
  #ice: IceMux | undefined;
  #opening: Promise<Reachability> | undefined;
  #closing: Promise<void> | undefined;
  readonly #guarded: Guarded;

  /** @throws RangeError for options out of their ranges */
  constructor(options?: ConnectivityOptions);
  constructor(options: ConnectivityOptions = {}, dependencies: Partial<ConnectivityDependencies> = {}) {
    super();
    this.#context = {
      options: withDefaults(options),
      dependencies: { ...REAL_DEPENDENCIES, ...dependencies },
      signal: this.#abort.signal,
      socket: () => this.socket,
      reachability: () => this.reachability,
      step: (step) => this.#report.step(step),
      update: () => this.#report.update(),
      changed: (what) => this.#ladder.forget(what),
    };
    this.#ladder = new Ladder(this.#context);
    this.#report = new Report(this.#abort.signal, {
      findings: () => ({ ...NOTHING, localPort: this.port, ...this.#ladder.findings }),
      step: (step) => this.emit("step", step),
      change: (reachability) => this.emit("change", reachability),
    });
    this.#guarded = {
      isClosing: () => this.#closing !== undefined,
      close: () => this.close(),
      mappings: () => this.#ladder.mapping.mappings,
    };
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
      this.#ice = new IceMux(this.socket, { relayOnly: this.#context.options.relayOnly });
      feedIce(this.#ice, this, () => this.#ladder.relay.relay);
    }
    return this.#ice;
  }

  /** The port that the game's socket is bound to. */
  get port(): number {
    return this.#socket?.localPort ?? this.#context.options.port;
  }

  /** What is known now. */
  get reachability(): Reachability {
    return this.#report.reachability;
  }

  /**
   * Binds the game's port without climbing yet, for a caller that has to know at once whether it is free. Idempotent.
   * @param port instead of the options' port
   * @throws UDPSocketError when the port cannot be bound
   */
  bind(port: number = this.#context.options.port, address: string = this.#context.options.address): UDPSocket {
    if (this.#closing) throw new Error("The ConnectivityManager is closed.");
    this.#socket ??= UDPSocket.open({ port, address, receiveBufferSize: SERVER_RECEIVE_BUFFER_BYTES });
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
    await this.#ladder.settled();
    return this.reachability;
  }

  /**
   * Measures how long the NAT remembers a silent mapping, by sockets of its own. Takes minutes, and joins a measurement that is
   * under way. The result is `nat.mappingLifetimeSeconds`, with a step in words, and keep-alives are fitted to it. Where invites
   * depend on it, the manager measures in the background without being asked.
   * @param onSilence called for each silence that was tried
   */
  async measureLifetime(onSilence?: OnSilence): Promise<Reachability> {
    await this.settled();
    if (!this.isHidden) await this.#ladder.lifetime.measure(onSilence);
    return this.reachability;
  }

  /** Whether addresses stay hidden: the option `relayOnly`. */
  get isHidden(): boolean {
    return this.#context.options.relayOnly;
  }

  /** Whether a relay serves, or may soon: false as long as the last attempt has failed, or there is no server to ask. */
  get hasRelay(): boolean {
    return this.#ladder.relay.mayServe;
  }

  /** Other STUN servers from now on, as a lobby names them; asked at once if the port is open. Without effect with `relayOnly`. */
  async useStunServers(servers: readonly string[]): Promise<void> {
    if (this.isHidden) return;
    await this.#ladder.detection.use(servers);
    this.#ladder.measureIfNeeded();
  }

  /** Other TURN servers from now on, or newer credentials; a relay that serves is kept while it holds. */
  async useTurnServers(servers: readonly TurnServer[]): Promise<void> {
    await this.#ladder.relay.use(servers);
  }

  /**
   * Has the routers forward another UDP port of this machine too, for a part of the game that cannot share its socket. The mapping
   * is renewed, and removed by `close()`, like the game's own; no reachability lists it. Without a router it keeps retrying in the
   * background. With `relayOnly` nothing is mapped.
   * @returns where the port is reached from outside at the moment; undefined while it is not
   */
  mapExtraPort(port: number): () => Endpoint | undefined {
    if (this.isHidden) return () => undefined;
    this.#ladder.mapping.mapExtraPort(port);
    return () => this.#ladder.mapping.extraEndpoint(port);
  }

  /** Asks every rung again, as after a change of network. */
  async refresh(): Promise<Reachability> {
    if (this.#socket && !this.#abort.signal.aborted) await this.#ladder.refresh();
    return this.reachability;
  }

  /** Unmaps, closes the socket, and leaves nothing behind. Bounded by 4 s; idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes, for `await using`: unmaps ports and closes sockets. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(signal: AbortSignal | undefined): Promise<Reachability> {
    signal?.throwIfAborted();
    this.bind();
    if (this.#context.options.signals) exitGuard.add(this.#guarded);
    const onAbort = (): void => void this.close();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const { options, dependencies } = this.#context;
      const { clock } = dependencies;
      const opened = this.#ladder.open();
      every(clock, options.renewIntervalMs, this.#abort.signal, () => void this.refresh());
      const limits = { clock, timeoutMs: options.openTimeoutMs, signal: this.#abort.signal };
      await whileAwaited(firstUsable(this, opened, limits));
      signal?.throwIfAborted();
      return this.reachability;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    this.#ice?.close();
    const givenBack = this.#ladder.close();
    // A router that takes longer is still asked, and the end of the process still watched.
    void givenBack.catch(() => {}).then(() => exitGuard.delete(this.#guarded));
    await atMost(this.#context.dependencies.clock, CLOSE_TIMEOUT_MS, givenBack);
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
