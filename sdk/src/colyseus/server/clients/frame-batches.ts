import { encodeBatch } from "../../wire/frame-batch.ts";

/** Whose frames are put together. */
export interface BatchReceiver {
  /** Theirs alone to keep for {@link FrameBatches}. */
  pendingBatch: Batch | null;
  /** Frames as one message (see wire/frame-batch.ts), which others get too: not to be changed. */
  sendBatch(message: Uint8Array): void;
}

/** Longer frames go alone: there is nothing to be gained, and they would be copied once more. */
const MAX_FRAME_BYTES = 2048;
const MAX_BATCH_BYTES = 16_384;

/** A sequence of frames that one or many are about to get: the frames of `before`, and one more. */
export class Batch {
  readonly bytes: number;
  readonly #before: Batch | null;
  readonly #frame: Uint8Array;
  readonly #count: number;
  #message: Uint8Array | undefined;
  #next: Batch | undefined;

  constructor(before: Batch | null, frame: Uint8Array) {
    this.#before = before;
    this.#frame = frame;
    this.#count = before ? before.#count + 1 : 1;
    this.bytes = (before?.bytes ?? 0) + frame.length;
  }

  /** The same sequence for all who get the same frame next. */
  with(frame: Uint8Array): Batch {
    const next = this.#next;
    if (next && next.#frame === frame) return next;
    return (this.#next = new Batch(this, frame));
  }

  get message(): Uint8Array {
    if (this.#count === 1) return this.#frame;
    if (this.#message) return this.#message;
    const frames = [this.#frame];
    for (let batch = this.#before; batch; batch = batch.#before) frames.push(batch.#frame);
    this.#message = encodeBatch(frames.reverse());
    return this.#message;
  }
}

/**
 * Puts together what a room sends within one turn of the event loop. A broadcast is copied once for all (Colyseus reuses the buffers
 * of its patches), and those who get the same frames get one message, which is made once: what is left for each of them is to seal it.
 */
export class FrameBatches {
  #receivers: BatchReceiver[] = [];
  #spare: BatchReceiver[] = [];
  /** The frame that was seen last, as it came and as it is kept. */
  #source: Uint8Array | undefined;
  #copy: Buffer = Buffer.alloc(0);
  #first: { frame: Uint8Array; batch: Batch } | undefined;

  /** @returns false for a frame that does not go into a batch: send it, after {@link flush}. */
  push(receiver: BatchReceiver, frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES || frame.length === 0) return false;
    const kept = this.#keep(frame);
    if (receiver.pendingBatch && receiver.pendingBatch.bytes + kept.length > MAX_BATCH_BYTES) this.flush(receiver);
    if (receiver.pendingBatch) {
      receiver.pendingBatch = receiver.pendingBatch.with(kept);
      return true;
    }
    if (this.#first?.frame !== kept) this.#first = { frame: kept, batch: new Batch(null, kept) };
    receiver.pendingBatch = this.#first.batch;
    if (this.#receivers.push(receiver) === 1) setImmediate(this.#flushAll);
    return true;
  }

  /** Sends what waits for this receiver. */
  flush(receiver: BatchReceiver): void {
    const batch = receiver.pendingBatch;
    receiver.pendingBatch = null;
    if (batch) receiver.sendBatch(batch.message);
  }

  readonly #flushAll = (): void => {
    const receivers = this.#receivers;
    this.#receivers = this.#spare;
    this.#spare = receivers;
    for (const receiver of receivers) this.flush(receiver);
    receivers.length = 0;
    this.#source = this.#first = undefined;
  };

  /** The same copy for the same frame: a broadcast hands one array to everybody, one after the other. */
  #keep(frame: Uint8Array): Buffer {
    if (frame === this.#source && this.#copy.equals(frame)) return this.#copy;
    this.#source = frame;
    this.#copy = Buffer.from(frame);
    return this.#copy;
  }
}
