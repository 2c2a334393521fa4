import { giveBuffer, takeBuffer } from "../wire/buffer-pool.ts";
import {
  BLOCK_BYTES,
  BLOCK_WINDOW,
  FRAME_CHANNEL,
  FRAME_SLICE,
  MODE_UNRELIABLE,
  varintBytes,
  writeVarint,
} from "../wire/frames.ts";
import { Deque } from "./deque.ts";

const NO_DATA = new Uint8Array();

/** A run of blocks that is to be sent again. */
interface Run {
  first: number;
  count: number;
}

/** What a message that does not fit into a packet remembers of its blocks. */
class Blocks {
  readonly count: number;
  readonly #acked: Uint8Array;
  /** Every block before this is acknowledged. */
  frontier = 0;
  /** The first block that was never sent. */
  next = 0;
  readonly resend: Deque<Run> = new Deque<Run>();

  constructor(bytes: number) {
    this.count = Math.ceil(bytes / BLOCK_BYTES);
    this.#acked = new Uint8Array(Math.ceil(this.count / 8));
  }

  isAcked(block: number): boolean {
    return (((this.#acked[block >>> 3] ?? 0) >>> (block & 7)) & 1) === 1;
  }

  ack(first: number, count: number): void {
    for (let block = first; block < first + count; block++) {
      this.#acked[block >>> 3] = (this.#acked[block >>> 3] ?? 0) | (1 << (block & 7));
    }
    while (this.frontier < this.count && this.isAcked(this.frontier)) this.frontier++;
  }

  /** The next run to be sent again, of blocks not acknowledged. */
  nextResend(): Run | undefined {
    for (let run = this.resend.at(0); run; run = this.resend.at(0)) {
      while (run.count > 0 && this.isAcked(run.first)) {
        run.first++;
        run.count--;
      }
      if (run.count > 0) {
        let count = 1;
        while (count < run.count && !this.isAcked(run.first + count)) count++;
        return { first: run.first, count };
      }
      this.resend.shift();
    }
    return undefined;
  }

  /** The first `count` blocks of {@link nextResend} were sent. */
  resent(count: number): void {
    const run = this.resend.at(0);
    if (!run) return;
    run.first += count;
    run.count -= count;
  }

  /** The message was sent whole, and did not arrive: every block is to be sent. */
  resendAll(): void {
    this.next = this.count;
    this.resend.push({ first: 0, count: this.count });
  }

  /** The next run never sent that the peer's window has room for. */
  nextNew(): Run | undefined {
    const count = Math.min(this.count, this.frontier + BLOCK_WINDOW) - this.next;
    return count > 0 ? { first: this.next, count } : undefined;
  }
}

/** One message that waits for being sent or acknowledged. Pooled: `serial` tells one use from the next. */
export class OutgoingMessage {
  serial = 0;
  mode = 0;
  channel = 0;
  /** -1 until it has one. */
  id = -1;
  length = 0;
  acked = false;
  /** Waits in its channel's queue of messages to be sent again. */
  resending = false;
  /** The packet that carried the whole message last; -1 before. */
  lastSequence = -1;
  firstSentAt = 0;
  lastSentAt = 0;
  blocks: Blocks | undefined;
  /** Where the slice written last ends. */
  sliceEnd = 0;
  #data: Uint8Array = NO_DATA;

  fill(data: Uint8Array, mode: number, channel: number): void {
    this.#data = takeBuffer(data.length);
    this.#data.set(data);
    this.length = data.length;
    this.mode = mode;
    this.channel = channel;
    this.id = -1;
    this.acked = false;
    this.resending = false;
    this.lastSequence = -1;
    this.blocks = undefined;
  }

  /** Gives the copy of the data back. */
  release(): void {
    if (this.#data.length > 0) giveBuffer(this.#data);
    this.#data = NO_DATA;
    this.blocks = undefined;
    this.serial = 0;
  }

  /** Some of its blocks arrived, or with `count` 0 the message as a whole, though it may go in slices by now. */
  ack(first: number, count: number): void {
    if (!this.blocks || count === 0) {
      this.acked = true;
      return;
    }
    this.blocks.ack(first, count);
    this.acked ||= this.blocks.frontier === this.blocks.count;
  }

  /** From now on it goes out in slices. */
  slice(): Blocks {
    this.blocks ??= new Blocks(this.length);
    return this.blocks;
  }

  /** Bytes of {@link write}. */
  get wholeBytes(): number {
    return (
      1 + (this.channel ? 1 : 0) + (this.mode === MODE_UNRELIABLE ? 0 : 2) + varintBytes(this.length) + this.length
    );
  }

  /** Writes the message as one frame; the caller has seen to the room. @returns where it ends. */
  write(out: Uint8Array, offset: number): number {
    let at = this.#writeType(out, offset, 0);
    if (this.mode !== MODE_UNRELIABLE) at = this.#writeId(out, at);
    at = writeVarint(out, at, this.length);
    if (this.length < 32) {
      // `set` with a view costs more than this for the smallest.
      for (let i = 0; i < this.length; i++) out[at + i] = this.#data[i] ?? 0;
    } else if (at + this.#data.length <= out.length) {
      // What the buffer has behind the message is overwritten by the next one, or not sent: cheaper than a view.
      out.set(this.#data, at);
    } else {
      out.set(this.#data.subarray(0, this.length), at);
    }
    return at + this.length;
  }

  /**
   * Writes as many blocks of `run` as there is room for.
   *
   * @returns how many; `sliceEnd` then says where they end.
   */
  writeSlice(out: Uint8Array, offset: number, limit: number, run: Run): number {
    const head = 1 + (this.channel ? 1 : 0) + 2 + varintBytes(this.length) + varintBytes(run.first) + 2;
    const start = run.first * BLOCK_BYTES;
    let count = run.count;
    let bytes = Math.min(start + count * BLOCK_BYTES, this.length) - start;
    const room = limit - offset - head;
    if (bytes > room) {
      count = Math.floor(room / BLOCK_BYTES);
      if (count <= 0) return 0;
      bytes = count * BLOCK_BYTES;
    }
    let at = this.#writeId(out, this.#writeType(out, offset, FRAME_SLICE));
    at = writeVarint(out, at, this.length);
    at = writeVarint(out, at, run.first);
    at = writeVarint(out, at, bytes);
    out.set(this.#data.subarray(start, start + bytes), at);
    this.sliceEnd = at + bytes;
    return count;
  }

  #writeType(out: Uint8Array, offset: number, flags: number): number {
    out[offset] = this.mode | flags | (this.channel ? FRAME_CHANNEL : 0);
    if (this.channel) out[offset + 1] = this.channel;
    return offset + (this.channel ? 2 : 1);
  }

  #writeId(out: Uint8Array, offset: number): number {
    out[offset] = this.id & 0xff;
    out[offset + 1] = this.id >>> 8;
    return offset + 2;
  }
}
