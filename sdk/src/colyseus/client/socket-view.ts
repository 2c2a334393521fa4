/** `WebSocket.OPEN` and `WebSocket.CLOSED`. */
const [OPEN, CLOSED] = [1, 3];

/** The session that a {@link SocketView} shows. */
export interface ViewedSession {
  readonly isOpen: boolean;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/**
 * A session as a WebSocket, for tools that know no other transport and look behind Colyseus' room: @colyseus/loadtest listens for
 * `message`, and counts what it sends by a `send` of its own.
 */
export class SocketView extends EventTarget {
  readonly binaryType = "arraybuffer";
  readonly #session: ViewedSession;

  constructor(session: ViewedSession) {
    super();
    this.#session = session;
  }

  get readyState(): number {
    return this.#session.isOpen ? OPEN : CLOSED;
  }

  /** May be replaced: all that the room sends reliably goes by here. */
  send(data: Uint8Array): void {
    this.#session.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#session.close(code, reason);
  }

  /** Shows a frame to whoever listens. */
  received(data: Uint8Array): void {
    this.dispatchEvent(new MessageEvent("message", { data: new Uint8Array(data).buffer }));
  }
}
