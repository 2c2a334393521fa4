import type { NetworkConditions } from "../channel/line-model.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import { NetcodeClient } from "../netcode/client.ts";
import { readConnectToken } from "../netcode/connect-token.ts";
import { netcodeReady } from "../netcode/sodium.ts";
import { NetcodeClientState } from "../netcode/types.ts";
import { SessionError, type SessionErrorCode } from "./errors.ts";
import type { SessionLimits } from "./limits.ts";
import { PacketSession } from "./packet-session.ts";
import type { SessionPath } from "./path.ts";
import { isPathPacket, responseTo } from "./path-packet.ts";
import { SessionPump } from "./pump.ts";
import type { CloseReason, Session } from "./types.ts";
import { dialableAddresses, PathWay, SocketWay, type Way } from "./way.ts";

const trace = traceOf("session");

/** Options of `connectSession`. */
export interface ConnectSessionOptions extends SessionLimits {
  /** Default: a socket of its own, closed with the session. A socket that is handed in stays open. */
  socket?: UDPSocket;
  /**
   * The address at which the token's issuer was dialed: private and loopback addresses in the token are tried only where it is one. Default:
   * the issuer is trusted with all addresses.
   */
  dialed?: string;
  /** A way to the server that was found otherwise, as by ICE, in place of the token's addresses; closed with the session. */
  path?: SessionPath;
  /** Gives the attempt up; has no effect once the session is open. */
  signal?: AbortSignal;
  /** The handshake as it goes on. */
  onProgress?: (progress: ConnectProgress) => void;
  /** Gives up after so many ms without a session; 0 = when netcode does (the token's timeout for each address). Default 5000. */
  timeoutMs?: number;
  /** For a server that may not be reachable yet: time between two requests, ms. Default: netcode's, 100. */
  requestEveryMs?: number;
  /** A bad line to the server, for trying the game out; see {@link Session.conditions}. */
  conditions?: NetworkConditions;
}

/** How far `connectSession` has come. */
export interface ConnectProgress {
  /** What is being done. */
  state: NetcodeClientState;
  /** The server address that answered, or the first that is tried: `a.b.c.d:port`. */
  server: string;
}

const UPDATE_MS = 20;

/**
 * Opens a secure session with the server that a connect token names. Its addresses are taken as ways to one server, as
 * {@link UDPSessionServer} writes them: the first has a head start of 100 ms, then all are asked, the others twice a second, and the first
 * that answers is kept. No more than 8 are tried, and where `dialed` is given, all others than that address get seven requests together.
 * @param token a netcode connect token, 2048 bytes; good for one session
 * @throws SessionError whose `code` says why: `timeout`, `full`, `expired`, `invalid-token`, `aborted`, `shutdown`
 */
export async function connectSession(token: Uint8Array, options: ConnectSessionOptions = {}): Promise<Session> {
  await netcodeReady();
  if (options.signal?.aborted) throw new SessionError("aborted", "The attempt was given up before it began.");
  const parsed = readConnectToken(token);
  if (typeof parsed === "string") throw new SessionError("invalid-token");
  if (trace.on) {
    trace.event("connecting", options.path ? { by: "path" } : { by: "addresses", addresses: parsed.serverAddresses });
  }
  return new ClientConnection(wayTo(parsed.serverAddresses, options), options).open(token);
}

function wayTo(addresses: readonly Endpoint[], { path, socket, dialed }: ConnectSessionOptions): Way {
  if (path) return new PathWay(path);
  const dialable = dialableAddresses(addresses, dialed);
  if (dialable.length === 0) throw new SessionError("invalid-token", "The token names no address that may be dialed.");
  return new SocketWay(socket, dialable, dialed, () => performance.now());
}

/** A netcode client on a way to its server, and the session that stands on it once it is connected. */
class ClientConnection {
  readonly #way: Way;
  readonly #options: ConnectSessionOptions;
  readonly #pump = new SessionPump();
  readonly #beganAt: number = this.#pump.now();
  readonly #netcode: NetcodeClient;
  readonly #timer: NodeJS.Timeout;
  #limit: NodeJS.Timeout | undefined;
  /** When the datagram came that is being read. */
  #now = 0;
  /** When the state's first packet left, ms. */
  #stageAt = 0;
  #requestedAt: number = Number.NEGATIVE_INFINITY;
  #handshakeMs = Infinity;
  #session: PacketSession | undefined;
  #settle: { resolve(session: Session): void; reject(error: SessionError): void } | undefined;
  #released = false;

  constructor(way: Way, options: ConnectSessionOptions) {
    this.#way = way;
    this.#options = options;
    this.#netcode = new NetcodeClient(
      {
        send: (data) => way.send(data),
        stateChanged: (state) => this.#stateChanged(state),
        payload: (data) => {
          if (isPathPacket(data)) this.#answerPath(data);
          else this.#session?.receive(data, this.#now);
        },
      },
      { maxPayloadBytes: options.maxPacketBytes },
    );
    this.#timer = setInterval(() => this.#update(), UPDATE_MS);
    this.#timer.unref();
  }

  open(token: Uint8Array): Promise<Session> {
    const { signal, timeoutMs = 5000 } = this.#options;
    return new Promise<Session>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#way.open(
        (data) => this.#receive(data),
        () => this.#session?.moved(),
      );
      signal?.addEventListener("abort", this.#abort, { once: true });
      if (timeoutMs > 0) this.#limit = setTimeout(this.#late, timeoutMs).unref();
      this.#netcode.connect(token, this.#pump.now());
      this.#netcode.update(this.#pump.now());
    });
  }

  #update(): void {
    const now = this.#pump.now();
    // netcode repeats its request whenever it is asked after 100 ms or more.
    const { requestEveryMs = 0 } = this.#options;
    if (this.#netcode.state === NetcodeClientState.sendingRequest && now - this.#requestedAt < requestEveryMs) return;
    this.#requestedAt = now;
    this.#netcode.update(now);
  }

  /** netcode knows one address at a time, so the way goes by the name of the one that it is trying. */
  #receive(data: Buffer): void {
    const { serverAddress } = this.#netcode;
    if (!serverAddress) return;
    this.#now = this.#pump.now();
    this.#netcode.receive(data, serverAddress.address, serverAddress.port, this.#now);
  }

  /** The server asks whether we are where our packets came from: answered at once, the way that all goes. */
  #answerPath(payload: Uint8Array): void {
    const response = responseTo(payload);
    if (response) this.#netcode.send(response, this.#now);
  }

  readonly #abort = (): void => this.#giveUp("aborted", "The attempt was given up.");
  readonly #late = (): void => this.#giveUp("timeout");

  #giveUp(code: SessionErrorCode, detail = ""): void {
    this.#fail(code, detail);
    this.#netcode.disconnect(this.#pump.now());
    this.#release();
  }

  #stateChanged(state: NetcodeClientState): void {
    // Two round trips, each lengthened by what was lost: the shorter is the truer.
    const now = this.#pump.now();
    if (state > NetcodeClientState.sendingRequest) this.#handshakeMs = Math.min(this.#handshakeMs, now - this.#stageAt);
    this.#stageAt = now;
    if (trace.on) {
      trace.event("handshake", { state: NAMES.get(state), server: this.#way.remote, ms: now - this.#beganAt });
    }
    // Only the token's server can have written the challenge that leads here.
    if (state === NetcodeClientState.sendingResponse) this.#way.keep();
    this.#options.onProgress?.({ state, server: formatEndpoint(this.#way.remote) });
    if (state === NetcodeClientState.connected) this.#connected();
    else if (state <= NetcodeClientState.disconnected) this.#ended(FINAL_STATES[state] ?? "remote");
  }

  #connected(): void {
    const netcode = this.#netcode;
    const way = this.#way;
    clearTimeout(this.#limit);
    this.#session = new PacketSession(
      {
        get remote() {
          return way.remote;
        },
        get kind() {
          return way.kind;
        },
        pairs: () => way.pairs?.() ?? [],
        get heardAt() {
          return netcode.lastReceiveTime;
        },
        send: (payload, now) => netcode.send(payload, now),
        disconnect: (now) => {
          netcode.disconnect(now);
          this.#release();
        },
      },
      this.#pump,
      {
        clientId: 0n,
        userData: new Uint8Array(0),
        handshakeMs: this.#handshakeMs,
        limits: this.#options,
        conditions: this.#options.conditions ?? null,
      },
    );
    if (trace.on) {
      const { remote, kind } = way;
      trace.event("connected", { remote, kind, handshakeMs: this.#handshakeMs, ms: this.#pump.now() - this.#beganAt });
    }
    this.#options.signal?.removeEventListener("abort", this.#abort);
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(this.#session);
  }

  #ended(reason: CloseReason): void {
    this.#fail(reason);
    this.#session?.lost(reason);
    this.#release();
  }

  #fail(code: SessionErrorCode, detail = ""): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (trace.on && settle)
      trace.event("failed", { code, server: this.#way.remote, ms: this.#pump.now() - this.#beganAt });
    settle?.reject(new SessionError(code, detail));
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    clearTimeout(this.#limit);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#pump.close();
    this.#way.close();
  }
}

const NAMES: ReadonlyMap<NetcodeClientState, string> = new Map(
  Object.entries(NetcodeClientState).map(([name, state]) => [state, name]),
);

const FINAL_STATES: Partial<Record<NetcodeClientState, CloseReason>> = {
  [NetcodeClientState.tokenExpired]: "expired",
  [NetcodeClientState.invalidToken]: "protocol-error",
  [NetcodeClientState.connectionTimedOut]: "timeout",
  [NetcodeClientState.responseTimedOut]: "timeout",
  [NetcodeClientState.requestTimedOut]: "timeout",
  [NetcodeClientState.denied]: "full",
  [NetcodeClientState.disconnected]: "remote",
};
