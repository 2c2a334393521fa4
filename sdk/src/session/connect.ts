import { isIPv4 } from "node:net";
import type { NetworkConditions } from "../channel/index.ts";
import { NetcodeClient, NetcodeClientState, netcodeReady, readConnectToken } from "../netcode/index.ts";
import { type Endpoint, formatEndpoint } from "../udp/endpoint.ts";
import { UDPSocket } from "../udp/udp-socket.ts";
import { SessionError, type SessionErrorCode } from "./errors.ts";
import type { SessionLimits } from "./limits.ts";
import { SessionPump } from "./pump.ts";
import type { CloseReason, Session } from "./types.ts";
import { UDPSession } from "./udp-session.ts";

export interface ConnectSessionOptions extends SessionLimits {
  /** Default: a socket of its own, closed with the session. A socket that is handed in stays open. */
  socket?: UDPSocket;
  /** Gives the attempt up; has no effect once the session is open. */
  signal?: AbortSignal;
  /** The handshake as it goes on. */
  onProgress?: (progress: ConnectProgress) => void;
  /** Gives up after so many ms without a session; 0 = when netcode does (the token's timeout for each address). Default 5000. */
  timeoutMs?: number;
  /** A bad line to the server, for trying the game out; see {@link Session.conditions}. */
  conditions?: NetworkConditions;
}

export interface ConnectProgress {
  state: NetcodeClientState;
  /** The server address that answered, or the first that is tried: `a.b.c.d:port`. */
  server: string;
}

const UPDATE_MS = 20;
/** Game updates come in bursts, and a burst that overruns the system's default buffer is loss. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

/**
 * Opens a secure session with the server that a connect token names. Its addresses are taken as ways to one server, as
 * {@link UDPSessionServer} writes them: the first has a head start of 100 ms, then all are asked at once, and the first that
 * answers is kept.
 * @param token a netcode connect token, 2048 bytes; good for one session
 * @throws SessionError whose `code` says why: `timeout`, `full`, `expired`, `invalid-token`, `aborted`, `shutdown`
 */
export async function connectSession(token: Uint8Array, options: ConnectSessionOptions = {}): Promise<Session> {
  await netcodeReady();
  if (options.signal?.aborted) throw new SessionError("aborted", "The attempt was given up before it began.");
  const parsed = readConnectToken(token);
  if (typeof parsed === "string") throw new SessionError("invalid-token");
  const socket = options.socket ?? openSocket(parsed.serverAddresses);
  const connection = new ClientConnection(socket, options, parsed.serverAddresses);
  return connection.open(token);
}

/** Of the servers' family, if they have one in common: a dual-stack socket costs more per packet. */
function openSocket(servers: readonly Endpoint[]): UDPSocket {
  const address = servers.every((server) => isIPv4(server.address)) ? "0.0.0.0" : "*";
  return UDPSocket.open({ address, receiveBufferSize: RECEIVE_BUFFER_BYTES });
}

/** A netcode client on a socket, and the session that stands on it once it is connected. */
class ClientConnection {
  readonly #socket: UDPSocket;
  readonly #options: ConnectSessionOptions;
  readonly #pump = new SessionPump();
  readonly #netcode: NetcodeClient;
  readonly #timer: NodeJS.Timeout;
  readonly #candidates: readonly Endpoint[];
  #limit: NodeJS.Timeout | undefined;
  /** The address that answered with a challenge of this token's key; null until then. */
  #path: Endpoint | null = null;
  /** Where the datagram that is being read came from. */
  #source: Endpoint = { address: "", port: 0 };
  /** And when. */
  #now = 0;
  #requests = 0;
  #session: UDPSession | undefined;
  #settle: { resolve(session: Session): void; reject(error: SessionError): void } | undefined;
  #released = false;

  constructor(socket: UDPSocket, options: ConnectSessionOptions, candidates: readonly Endpoint[]) {
    this.#socket = socket;
    this.#options = options;
    this.#candidates = candidates;
    this.#netcode = new NetcodeClient({
      send: (data) => this.#send(data),
      stateChanged: (state) => this.#stateChanged(state),
      payload: (data) => this.#session?.receive(data, this.#now),
    });
    this.#timer = setInterval(() => this.#netcode.update(this.#pump.now()), UPDATE_MS);
    this.#timer.unref();
  }

  open(token: Uint8Array): Promise<Session> {
    const { signal, timeoutMs = 5000 } = this.#options;
    return new Promise<Session>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.onDatagram = (data, address, port) => this.#receive(data, address, port);
      signal?.addEventListener("abort", this.#abort, { once: true });
      if (timeoutMs > 0) this.#limit = setTimeout(this.#late, timeoutMs).unref();
      this.#netcode.connect(token, this.#pump.now());
      this.#netcode.update(this.#pump.now());
    });
  }

  #send(data: Uint8Array): void {
    if (this.#path) {
      this.#socket.send(data, this.#path.port, this.#path.address);
      return;
    }
    const ways = this.#requests++ === 0 ? this.#candidates.slice(0, 1) : this.#candidates;
    for (const { address, port } of ways) this.#socket.send(data, port, address);
  }

  /** netcode knows one address at a time, so every way to the server goes by the name of the one that it is trying. */
  #receive(data: Uint8Array, address: string, port: number): void {
    const { serverAddress } = this.#netcode;
    const path = this.#path;
    if (!serverAddress) return;
    if (path) {
      if (port !== path.port || address !== path.address) return;
    } else {
      const source = this.#candidates.find((each) => each.port === port && each.address === address);
      if (!source) return;
      this.#source = source;
    }
    this.#now = this.#pump.now();
    this.#netcode.receive(data, serverAddress.address, serverAddress.port, this.#now);
  }

  readonly #abort = (): void => this.#giveUp("aborted", "The attempt was given up.");
  readonly #late = (): void => this.#giveUp("timeout");

  #giveUp(code: SessionErrorCode, detail = ""): void {
    this.#fail(code, detail);
    this.#netcode.disconnect(this.#pump.now());
    this.#release();
  }

  #stateChanged(state: NetcodeClientState): void {
    // Only the token's server can have written the challenge that leads here.
    if (state === NetcodeClientState.sendingResponse) this.#path = this.#source;
    const way = this.#path ?? this.#candidates[0];
    if (way) this.#options.onProgress?.({ state, server: formatEndpoint(way) });
    if (state === NetcodeClientState.connected) this.#connected();
    else if (state <= NetcodeClientState.disconnected) this.#ended(FINAL_STATES[state] ?? "remote");
  }

  #connected(): void {
    const netcode = this.#netcode;
    const remote = this.#path ?? this.#source;
    clearTimeout(this.#limit);
    this.#session = new UDPSession(
      {
        remote,
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
        limits: this.#options,
        conditions: this.#options.conditions ?? null,
      },
    );
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
    settle?.reject(new SessionError(code, detail));
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    clearTimeout(this.#limit);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#pump.close();
    this.#socket.onDatagram = null;
    if (!this.#options.socket) void this.#socket.close();
  }
}

const FINAL_STATES: Partial<Record<NetcodeClientState, CloseReason>> = {
  [NetcodeClientState.tokenExpired]: "expired",
  [NetcodeClientState.invalidToken]: "protocol-error",
  [NetcodeClientState.connectionTimedOut]: "timeout",
  [NetcodeClientState.responseTimedOut]: "timeout",
  [NetcodeClientState.requestTimedOut]: "timeout",
  [NetcodeClientState.denied]: "full",
  [NetcodeClientState.disconnected]: "remote",
};
