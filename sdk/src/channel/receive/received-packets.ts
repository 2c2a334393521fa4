import { sequenceDistance, sequenceNewer } from "../wire/sequence.ts";

/** How many sequences back a packet may come late; older ones are stale. */
export const RECEIVED_WINDOW = 256;

/** Which packets arrived: refuses stale and duplicate ones, and says what to acknowledge. */
export class ReceivedPackets {
  /** The newest sequence seen. A fresh one says 65535 with no bits, as the reference does. */
  ack = 0xffff;
  /** Bit n: `ack - n` was received. */
  ackBits = 0;
  /** A bit for each of the window, by sequence: few bytes, since there may be thousands of these. */
  readonly #bits: Uint32Array = new Uint32Array(RECEIVED_WINDOW / 32);

  isStale(sequence: number): boolean {
    return sequenceNewer((this.ack + 1 - RECEIVED_WINDOW) & 0xffff, sequence);
  }

  has(sequence: number): boolean {
    if (sequenceDistance(this.ack, sequence) >= RECEIVED_WINDOW) return false;
    return (((this.#bits[wordOf(sequence)] ?? 0) >>> (sequence & 31)) & 1) === 1;
  }

  /** Makes `sequence` the newest seen, if it is newer, without having received it: a fragment came. */
  advance(sequence: number): void {
    if (!sequenceNewer((sequence + 1) & 0xffff, (this.ack + 1) & 0xffff)) return;
    const distance = sequenceDistance(sequence, this.ack);
    if (distance >= RECEIVED_WINDOW) {
      this.#bits.fill(0);
    } else {
      for (let n = 1; n <= distance; n++) this.#set(this.ack + n, false);
    }
    this.ackBits = distance >= 32 ? 0 : (this.ackBits << distance) >>> 0;
    this.ack = sequence;
  }

  /** Notes a packet that is neither stale nor a duplicate. */
  insert(sequence: number): void {
    this.advance(sequence);
    this.#set(sequence, true);
    const back = sequenceDistance(this.ack, sequence);
    if (back < 32) this.ackBits = (this.ackBits | (1 << back)) >>> 0;
  }

  #set(sequence: number, received: boolean): void {
    const word = wordOf(sequence);
    const bit = 1 << (sequence & 31);
    this.#bits[word] = received ? (this.#bits[word] ?? 0) | bit : (this.#bits[word] ?? 0) & ~bit;
  }
}

function wordOf(sequence: number): number {
  return (sequence & (RECEIVED_WINDOW - 1)) >>> 5;
}
