import type { Socket } from "node:net";
import { CloseCode, logger } from "@colyseus/core";
import type { WebSocketClient } from "@colyseus/ws-transport";
import { describeFull, type HeldBytes } from "../../../net/held-bytes.ts";
import { describeQueueFull, type SharedLimits } from "../../wire/traffic-limits.ts";
import { EarlyFrames } from "./early-frames.ts";

type WebSocket = WebSocketClient["ref"];

/** What the objects around a chunk that came in weigh, and around a frame that waits to go out. */
const CHUNK_OVERHEAD = 256;
const FRAME_OVERHEAD = 512;
/** So much Node writes without telling anybody when it is done. */
const WRITTEN_AT_ONCE = 65_536;
/** RFC 6455 section 5.5: the longest control frame, with its mask. */
const MAX_CONTROL_FRAME = 131;
/** What is to be told leaves within this time, ms. */
const GOODBYE_MS = 1000;

/**
 * What one WebSocket makes the server hold: chunks of a message that is not whole, and frames that its other end does not read. `ws`
 * bounds the length of a message, but neither all that are not whole together, nor what waits to be sent.
 */
export class WebSocketMemory {
  readonly early: EarlyFrames;
  readonly #socket: WebSocket;
  readonly #held: HeldBytes;
  readonly #limit: number;
  #received = 0;
  /** What the chunk that is being read counts. */
  #chunk = 0;
  #queued = 0;
  /** Frames sent since none waited. */
  #frames = 0;

  /** @param tcp the connection below `socket` */
  constructor(socket: WebSocket, tcp: Socket, { budget, maxBufferedBytes }: SharedLimits) {
    this.#socket = socket;
    this.#limit = maxBufferedBytes;
    this.#held = budget.open((bytes) => this.#end(describeFull(budget, bytes)));
    this.early = new EarlyFrames(this.#held, maxBufferedBytes, (text) => this.#end(text));
    const onData = (chunk: Buffer): void => this.#onData(chunk);
    const onDrain = (): void => this.#countQueued();
    // Before `ws` reads it.
    tcp.prependListener("data", onData);
    tcp.on("drain", onDrain);
    socket.on("message", () => this.#onMessage());
    socket.once("close", () => {
      tcp.off("data", onData).off("drain", onDrain);
      forgetReceived(socket);
      this.#held.close();
    });
  }

  /** Whether a frame of so many bytes finds room; if not, the connection is over. Tell {@link onSent} afterwards. */
  admits(bytes: number): boolean {
    const waiting = this.#socket.bufferedAmount;
    if (waiting + bytes <= this.#limit) return true;
    this.#end(describeQueueFull(waiting, bytes, this.#limit));
    return false;
  }

  onSent(): void {
    this.#frames++;
    this.#countQueued();
  }

  /** One of our pings was answered: that chunk is no part of a message. */
  onPong(): void {
    if (this.#chunk > MAX_CONTROL_FRAME + CHUNK_OVERHEAD) return;
    this.#held.give(this.#chunk);
    this.#received -= this.#chunk;
    this.#chunk = 0;
  }

  #onData({ length }: Buffer): void {
    this.#chunk = length + CHUNK_OVERHEAD;
    this.#received += this.#chunk;
    this.#held.take(this.#chunk);
  }

  #onMessage(): void {
    this.#held.give(this.#received);
    this.#received = 0;
    this.#chunk = 0;
  }

  #countQueued(): void {
    const waiting = this.#socket.bufferedAmount;
    if (waiting === 0) this.#frames = 0;
    const queued = waiting > WRITTEN_AT_ONCE ? waiting + this.#frames * FRAME_OVERHEAD : 0;
    const change = queued - this.#queued;
    this.#queued = queued;
    if (change > 0) this.#held.take(change);
    else this.#held.give(-change);
  }

  /** Nothing more is read. What is said can be heard only where nothing waits to be sent before it. */
  #end(text: string): void {
    const socket = this.#socket;
    this.early.release();
    forgetReceived(socket);
    if (socket.bufferedAmount > 0) {
      logger.warn(text);
      socket.terminate();
      return;
    }
    socket.close(CloseCode.MAY_TRY_RECONNECT, text);
    socket.pause();
    // `ws` would tell the code of the other end's answer, which is not read any more.
    (socket as { _closeCode?: number })._closeCode = CloseCode.MAY_TRY_RECONNECT;
    setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
  }
}

/**
 * Drops what came of a message, and whatever still comes. `ws` keeps it with its socket, and Colyseus keeps that for as long as its
 * player may come back.
 */
function forgetReceived(socket: WebSocket): void {
  const { _receiver: receiver } = socket as { _receiver?: Partial<Receiver> };
  if (!receiver?._buffers || !receiver._fragments) return;
  receiver._write = (_chunk, _encoding, done) => done();
  receiver._bufferedBytes = 0;
  receiver._buffers = [];
  receiver._fragments = [];
}

/** Of `ws`, which has no name for it: where a message is put together. */
interface Receiver {
  _write(chunk: Buffer, encoding: string, done: () => void): void;
  _bufferedBytes: number;
  _buffers: Buffer[];
  _fragments: Buffer[];
}
