/** All streams of one session. */
import type { Socket } from "node:net";
import type { Session } from "../../session/types.ts";
import {
  parseStreamMessage,
  STREAM_DATA,
  STREAM_END,
  STREAM_OPEN,
  STREAM_RESET,
  STREAM_WINDOW,
  streamChannel,
  type TunnelWriter,
} from "../wire/protocol.ts";
import { type StreamOwner, TunnelStream } from "./stream.ts";
import { ReceiveWindow, type WindowBudget } from "./window.ts";

/** Streams of one session at a time. */
const MAX_STREAMS = 256;
/** What the session may hold of streams before they wait, bytes: a round trip of 160 ms at 100 Mbit/s. */
const MAX_QUEUED_BYTES = 2 << 20;
/** How often streams that wait for the session look again, ms. */
const RETRY_MS = 4;
/** Datagrams have 0. */
const STREAM_PRIORITY = -1;

export interface TunnelStreamsOptions {
  session: Pick<Session, "send" | "stats">;
  writer: TunnelWriter;
  windows: WindowBudget;
  /** ms, monotonic. */
  now: () => number;
  /** At the host: connects to the local program. Undefined for a port that is not shared over TCP. Default: nobody may open a stream. */
  dial?: ((port: number) => Promise<Socket> | undefined) | undefined;
  /** The other side broke the protocol: the session has to end. */
  onViolation: (reason: string) => void;
}

export class TunnelStreams implements StreamOwner {
  readonly #options: TunnelStreamsOptions;
  readonly #streams = new Map<number, TunnelStream>();
  /** They wait until the session has sent some. */
  readonly #waiting = new Set<TunnelStream>();
  #timer: NodeJS.Timeout | undefined;
  #ids = 0;
  #closed = false;

  constructor(options: TunnelStreamsOptions) {
    this.#options = options;
  }

  /** Those that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** At the guest: the local program has connected to the host's shared `port`, by its place in the offer. */
  open(socket: Socket, port: number): void {
    const id = (this.#ids = (this.#ids + 1) >>> 0);
    const stream = this.#begin(id);
    if (stream === undefined) {
      socket.on("error", () => undefined);
      socket.resetAndDestroy();
      return;
    }
    this.#say(this.#options.writer.open(id, port), id);
    stream.attach(socket);
  }

  /** A reliable message of the session's. */
  receive(bytes: Uint8Array): void {
    const message = parseStreamMessage(bytes);
    if (message === undefined) {
      this.#options.onViolation("That is no message of a tunnel.");
      return;
    }
    if (message.kind === STREAM_OPEN) {
      this.#onOpen(message.id, message.port);
      return;
    }
    // What was on its way when the stream ended here is nobody's.
    const stream = this.#streams.get(message.id);
    if (stream === undefined) return;
    switch (message.kind) {
      case STREAM_DATA:
        if (!stream.receive(message.data)) this.#options.onViolation("A stream is longer than its window.");
        break;
      case STREAM_WINDOW:
        if (!stream.allow(message.more)) this.#options.onViolation("A window is wider than any.");
        break;
      case STREAM_END:
        stream.remoteEnd();
        break;
      case STREAM_RESET:
        stream.remoteReset();
        break;
    }
  }

  /** Resets all. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    for (const stream of this.#streams.values()) stream.remoteReset();
  }

  now(): number {
    return this.#options.now();
  }

  mayQueue(stream: TunnelStream): boolean {
    if (this.#options.session.stats.bufferedBytes < MAX_QUEUED_BYTES) return true;
    this.#waiting.add(stream);
    this.#timer ??= setInterval(() => this.#retry(), RETRY_MS).unref();
    return false;
  }

  sendData(id: number, data: Uint8Array): void {
    this.#say(this.#options.writer.data(id, data), id);
  }

  sendEnd(id: number): void {
    this.#say(this.#options.writer.bare(STREAM_END, id), id);
  }

  sendReset(id: number): void {
    this.#say(this.#options.writer.bare(STREAM_RESET, id), id);
  }

  sendWindow(id: number, more: number): void {
    this.#say(this.#options.writer.window(id, more), id, "reliable-unordered");
  }

  forget(stream: TunnelStream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
  }

  #begin(id: number): TunnelStream | undefined {
    if (this.#closed || this.#streams.size >= MAX_STREAMS || this.#streams.has(id)) return undefined;
    const window = ReceiveWindow.open(this.#options.windows, this.now());
    if (window === undefined) return undefined;
    const stream = new TunnelStream(id, this, window);
    this.#streams.set(id, stream);
    return stream;
  }

  #onOpen(id: number, port: number): void {
    if (this.#streams.has(id)) {
      this.#options.onViolation("A stream is opened twice.");
      return;
    }
    const dialing = this.#options.dial?.(port);
    const stream = dialing && this.#begin(id);
    if (stream === undefined) {
      dialing?.then(
        (socket) => socket.destroy(),
        () => undefined,
      );
      this.sendReset(id);
      return;
    }
    dialing?.then(
      (socket) => stream.attach(socket),
      () => stream.reset(),
    );
  }

  #say(message: Uint8Array, id: number, mode: "reliable" | "reliable-unordered" = "reliable"): void {
    if (this.#closed) return;
    const sent = this.#options.session.send(message, mode, { channel: streamChannel(id), priority: STREAM_PRIORITY });
    // A word that is lost would leave a stream that nobody ends.
    if (!sent) this.#options.onViolation("The session holds more than it may.");
  }

  #retry(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const stream of waiting) stream.pump();
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
