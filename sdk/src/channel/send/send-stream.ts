import { BLOCK_BYTES, MESSAGE_WINDOW, MODE_RELIABLE, MODE_UNORDERED, MODE_UNRELIABLE } from "../wire/frames.ts";
import { sequenceDistance } from "../wire/sequence.ts";
import { Deque } from "./deque.ts";
import type { OutgoingMessage } from "./outgoing-message.ts";

/** The sending side of one channel in one mode: what waits, and for reliable modes what is not acknowledged. */
export class SendStream {
  readonly mode: number;
  readonly channel: number;
  priority = 0;
  /** Never sent; in order. Where there is no order, only those that fit a packet. */
  readonly whole: Deque<OutgoingMessage> = new Deque<OutgoingMessage>();
  /** Never wholly sent, need slices, and may be overtaken by those that don't. */
  readonly sliced: Deque<OutgoingMessage> = new Deque<OutgoingMessage>();
  /** Found lost, or probed for. */
  readonly resendWhole: Deque<OutgoingMessage> = new Deque<OutgoingMessage>();
  /** Those of which slices were found lost, or are probed for. */
  readonly resendSliced: Deque<OutgoingMessage> = new Deque<OutgoingMessage>();
  /** Reliable: all from the oldest not acknowledged on, in the order of their ids. */
  readonly #kept: Deque<OutgoingMessage> = new Deque<OutgoingMessage>();
  #nextId = 0;

  constructor(mode: number, channel: number) {
    this.mode = mode;
    this.channel = channel;
  }

  get reliable(): boolean {
    return this.mode === MODE_RELIABLE || this.mode === MODE_UNORDERED;
  }

  /** Whether anything waits for being sent. */
  get waiting(): boolean {
    return (
      this.whole.length > 0 || this.sliced.length > 0 || this.resendWhole.length > 0 || this.resendSliced.length > 0
    );
  }

  /** Queues a message. Reliable ones get their id here, unreliable ones when they leave. */
  push(message: OutgoingMessage): void {
    if (this.reliable) {
      message.id = this.takeId();
      this.#kept.push(message);
    }
    if (message.blocks && (this.mode === MODE_UNORDERED || this.mode === MODE_UNRELIABLE)) this.sliced.push(message);
    else this.whole.push(message);
  }

  takeId(): number {
    const id = this.#nextId;
    this.#nextId = (id + 1) & 0xffff;
    return id;
  }

  /** Whether the peer's window has room for this message. */
  inWindow(message: OutgoingMessage): boolean {
    const oldest = this.#kept.at(0);
    return !this.reliable || !oldest || sequenceDistance(message.id, oldest.id) < MESSAGE_WINDOW;
  }

  /** The queue whose first message is sliced and may go, if any. */
  slicedQueue(): Deque<OutgoingMessage> | undefined {
    const queue = this.sliced.length > 0 ? this.sliced : this.whole;
    return queue.at(0)?.blocks ? queue : undefined;
  }

  /** The first message that was never sent is longer than packets are by now: it goes in slices. */
  sliceFirst(): void {
    this.whole.at(0)?.slice();
    if (this.mode !== MODE_UNORDERED && this.mode !== MODE_UNRELIABLE) return;
    const message = this.whole.shift();
    if (message) this.sliced.push(message);
  }

  /** The same of the first message that is to be sent again: all of it goes in slices, whatever may arrive of it whole. */
  sliceFirstResend(): void {
    const message = this.resendWhole.shift();
    if (!message) return;
    message.slice().resendAll();
    this.resendSliced.push(message);
  }

  /** Queues a message, or some of its blocks, to be sent again. @returns how many bytes more that are. */
  pushResend(message: OutgoingMessage, first: number, count: number): number {
    if (message.blocks) message.blocks.resend.push({ first, count });
    else if (message.resending) return 0;
    if (!message.resending) {
      message.resending = true;
      if (message.blocks) this.resendSliced.push(message);
      else this.resendWhole.push(message);
    }
    return message.blocks ? count * BLOCK_BYTES : message.wholeBytes;
  }

  /** Hands out the messages that nobody needs any longer, oldest first: acknowledged, with all before them. */
  release(): OutgoingMessage | undefined {
    const oldest = this.#kept.at(0);
    return oldest?.acked && !oldest.resending ? this.#kept.shift() : undefined;
  }

  /** Empties the stream, each message given to `drop`. */
  clear(drop: (message: OutgoingMessage) => void): void {
    for (const queue of this.reliable ? [this.#kept] : [this.whole, this.sliced]) {
      for (let message = queue.shift(); message; message = queue.shift()) drop(message);
    }
    this.whole.clear();
    this.sliced.clear();
    this.resendWhole.clear();
    this.resendSliced.clear();
  }
}
