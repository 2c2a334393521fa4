import { NetcodeClient, NetcodeClientState, netcodeReady, readConnectToken } from "../netcode/index.ts";
import { formatEndpoint } from "../udp/endpoint.ts";
import { UDPSocket } from "../udp/udp-socket.ts";
import { SessionError, type SessionErrorCode } from "./errors.ts";
import { SessionPump } from "./pump.ts";
import type { CloseReason, Session } from "./types.ts";
import { UDPSession } from "./udp-session.ts";

export interface ConnectSessionOptions {
  /** Default: a socket of its own, closed with the session. A socket that is handed in stays open. */
  socket?: UDPSocket;
  /** Gives the attempt up; has no effect once the session is open. */
  signal?: AbortSignal;
  /** The handshake as it goes on. */
  onProgress?: (progress: ConnectProgress) => void;
  maxMessageBytes?: number;
  maxBufferedBytes?: number;
}

export interface ConnectProgress {
  state: NetcodeClientState;
  /** The server address that is being tried, `a.b.c.d:port`. */
  server: string;
}

const UPDATE_MS = 20;

/**
 * Opens a secure session with the servers that a connect token names, trying them in turn.
 * @param token a netcode connect token, 2048 bytes; good for one session
 * @throws SessionError whose `code` says why: `timeout`, `full`, `expired`, `invalid-token`, `aborted`, `shutdown`
 */
export async function connectSession(token: Uint8Array, options: ConnectSessionOptions = {}): Promise<Session> {
  await netcodeReady();
  if (options.signal?.aborted) throw new SessionError("aborted", "The attempt was given up before it began.");
  const parsed = readConnectToken(token);
  if (typeof parsed === "string") throw new SessionError("invalid-token");
  const socket = options.socket ?? UDPSocket.open();
  const connection = new ClientConnection(socket, options);
  return connection.open(token);
}

/** A netcode client on a socket, and the session that stands on it once it is connected. */
class ClientConnection {
  readonly #socket: UDPSocket;
  readonly #options: ConnectSessionOptions;
  readonly #pump = new SessionPump();
  readonly #netcode: NetcodeClient;
  readonly #timer: NodeJS.Timeout;
  #session: UDPSession | undefined;
  #settle: { resolve(session: Session): void; reject(error: SessionError): void } | undefined;
  #released = false;

  constructor(socket: UDPSocket, options: ConnectSessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#netcode = new NetcodeClient({
      send: (data, address, port) => void socket.send(data, port, address),
      stateChanged: (state) => this.#stateChanged(state),
      payload: (data) => this.#session?.receive(data, this.#pump.now()),
    });
    this.#timer = setInterval(() => this.#netcode.update(this.#pump.now()), UPDATE_MS);
    this.#timer.unref();
  }

  open(token: Uint8Array): Promise<Session> {
    const { signal } = this.#options;
    return new Promise<Session>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.onDatagram = (data, address, port) =>
        void this.#netcode.receive(data, address, port, this.#pump.now());
      signal?.addEventListener("abort", this.#abort, { once: true });
      this.#netcode.connect(token, this.#pump.now());
      this.#netcode.update(this.#pump.now());
    });
  }

  readonly #abort = (): void => {
    this.#fail("aborted", "The attempt was given up.");
    this.#netcode.disconnect(this.#pump.now());
    this.#release();
  };

  #stateChanged(state: NetcodeClientState): void {
    const { serverAddress } = this.#netcode;
    if (serverAddress) this.#options.onProgress?.({ state, server: formatEndpoint(serverAddress) });
    if (state === NetcodeClientState.connected) this.#connected();
    else if (state <= NetcodeClientState.disconnected) this.#ended(FINAL_STATES[state] ?? "remote");
  }

  #connected(): void {
    const netcode = this.#netcode;
    const remote = { ...(netcode.serverAddress ?? { address: "", port: 0 }) };
    const { maxMessageBytes, maxBufferedBytes } = this.#options;
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
        ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
        ...(maxBufferedBytes === undefined ? {} : { maxBufferedBytes }),
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
