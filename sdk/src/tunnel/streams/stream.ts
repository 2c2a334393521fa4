/** One TCP connection of a local program's, whose other half is at the other end of the session. */
import type { Socket } from "node:net";
import { FIRST_WINDOW_BYTES, MAX_STREAM_DATA_BYTES } from "../wire/protocol.ts";
import type { ReceiveWindow } from "./window.ts";

/** More than this no correct side is ever allowed. */
const MAX_CREDIT_BYTES = 1 << 30;

/** What a stream says to the other side, and to its table. */
export interface StreamOwner {
  now(): number;
  /** False while the session holds too much already: the stream is called back by {@link TunnelStream.pump}. */
  mayQueue(stream: TunnelStream): boolean;
  sendData(id: number, data: Uint8Array): void;
  sendEnd(id: number): void;
  sendReset(id: number): void;
  sendWindow(id: number, more: number): void;
  /** Nothing more is sent or expected. */
  forget(stream: TunnelStream): void;
}

export class TunnelStream {
  readonly id: number;
  readonly #owner: StreamOwner;
  readonly #window: ReceiveWindow;
  #socket: Socket | undefined;
  /** What may be sent before the other side allows more. */
  #credit = FIRST_WINDOW_BYTES;
  /** Read from the socket, and not sent. */
  #pending: Buffer | undefined;
  /** What came before the socket was there. */
  #early: Buffer[] = [];
  #localEnded = false;
  #endSent = false;
  #remoteEnded = false;
  #gone = false;

  constructor(id: number, owner: StreamOwner, window: ReceiveWindow) {
    this.id = id;
    this.#owner = owner;
    this.#window = window;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** The local program's connection; it takes half-closing (`allowHalfOpen`). */
  attach(socket: Socket): void {
    if (this.#gone) {
      discard(socket);
      return;
    }
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#pending = chunk;
      this.pump();
      if (this.#pending !== undefined) socket.pause();
    });
    socket.on("end", () => {
      this.#localEnded = true;
      this.pump();
    });
    // What happened is told by `close`.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#onClose());
    for (const data of this.#early.splice(0)) this.#write(socket, data);
    if (this.#remoteEnded) socket.end();
  }

  /** Sends on what the local program wrote, as far as the other side and the session allow. */
  pump(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#gone) return;
    while (this.#pending !== undefined) {
      const length = Math.min(this.#pending.length, this.#credit, MAX_STREAM_DATA_BYTES);
      if (length === 0 || !this.#owner.mayQueue(this)) return;
      this.#credit -= length;
      this.#owner.sendData(this.id, this.#pending.subarray(0, length));
      if (this.#gone) return;
      this.#pending = length < this.#pending.length ? this.#pending.subarray(length) : undefined;
    }
    if (this.#localEnded && !this.#endSent) {
      this.#endSent = true;
      this.#owner.sendEnd(this.id);
    } else if (socket.isPaused()) {
      socket.resume();
    }
  }

  /** @returns false where the other side sent more than it was allowed, or after its end */
  receive(data: Uint8Array): boolean {
    if (this.#remoteEnded || !this.#window.received(data.length)) return false;
    const copy = Buffer.from(data);
    if (this.#socket === undefined) this.#early.push(copy);
    else this.#write(this.#socket, copy);
    return true;
  }

  /** The other side allows `more` bytes. @returns false where no correct side would */
  allow(more: number): boolean {
    this.#credit += more;
    if (this.#credit > MAX_CREDIT_BYTES) return false;
    this.pump();
    return true;
  }

  remoteEnd(): void {
    this.#remoteEnded = true;
    this.#socket?.end();
  }

  /** The other side's half is gone. */
  remoteReset(): void {
    this.#leave();
    if (this.#socket) discard(this.#socket);
  }

  /** Ends both halves at once; the other side is told. */
  reset(): void {
    if (this.#gone) return;
    this.#owner.sendReset(this.id);
    this.remoteReset();
  }

  #write(socket: Socket, data: Buffer): void {
    socket.write(data, (error) => {
      if (error || this.#gone) return;
      const more = this.#window.consumed(data.length, this.#owner.now());
      if (more > 0 && !this.#remoteEnded) this.#owner.sendWindow(this.id, more);
    });
  }

  #onClose(): void {
    if (this.#gone) return;
    if (!this.#endSent || !this.#remoteEnded) this.#owner.sendReset(this.id);
    this.#leave();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#pending = undefined;
    this.#early = [];
    this.#window.close();
    this.#owner.forget(this);
  }
}

/** As TCP's reset, so that the local program sees an error and no orderly end. */
function discard(socket: Socket): void {
  if (socket.destroyed) return;
  socket.on("error", () => undefined);
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
