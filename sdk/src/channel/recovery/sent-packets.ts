/** How many sent packets are remembered: an acknowledgement of an older one says nothing. */
export const SENT_WINDOW = 256;

/** Numbers that a packet takes. */
const STRIDE = 4;
const SENT_AT = 0;
const FATE = 1;
const SEQUENCE = 2;
const RECORDS = 3;

const BYTES_SHIFT = 3;
const RELIABLE = 4;
const STATE = 3;
const COUNT_BITS = 256;

/**
 * What is remembered of the last 256 packets sent, each packet's numbers side by side: among a thousand peers a look at
 * another place in memory costs more than all that is reckoned there.
 */
export class SentPackets {
  readonly #numbers: Float64Array = new Float64Array(SENT_WINDOW * STRIDE);

  constructor() {
    for (let slot = 0; slot < SENT_WINDOW; slot++) this.#numbers[slot * STRIDE + SEQUENCE] = -1;
  }

  /** Sequence of the packet that holds the slot and is not acknowledged yet, else -1. */
  awaited(slot: number): number {
    return this.#numbers[slot * STRIDE + SEQUENCE] ?? -1;
  }

  setAwaited(slot: number, sequence: number): void {
    this.#numbers[slot * STRIDE + SEQUENCE] = sequence;
  }

  setSent(slot: number, now: number, bytes: number, reliable: boolean, state: number): void {
    this.#numbers[slot * STRIDE + SENT_AT] = now;
    this.#numbers[slot * STRIDE + FATE] = (bytes << BYTES_SHIFT) | (reliable ? RELIABLE : 0) | state;
  }

  sentAt(slot: number): number {
    return this.#numbers[slot * STRIDE + SENT_AT] ?? 0;
  }

  bytes(slot: number): number {
    return this.#fate(slot) >>> BYTES_SHIFT;
  }

  /** What becomes of it counts for no window any more. @returns the bytes that it had */
  forgetBytes(slot: number): number {
    const bytes = this.bytes(slot);
    this.#numbers[slot * STRIDE + FATE] = this.#fate(slot) & ((1 << BYTES_SHIFT) - 1);
    return bytes;
  }

  /** Whether it must not be lost. */
  reliable(slot: number): boolean {
    return (this.#fate(slot) & RELIABLE) !== 0;
  }

  /** 0-3. */
  state(slot: number): number {
    return this.#fate(slot) & STATE;
  }

  setState(slot: number, state: number): void {
    this.#numbers[slot * STRIDE + FATE] = (this.#fate(slot) & ~STATE) | state;
  }

  /** Where its records of what it carried begin, below 2^44. */
  recordsStart(slot: number): number {
    return Math.floor((this.#numbers[slot * STRIDE + RECORDS] ?? 0) / COUNT_BITS);
  }

  /** 0-255. */
  recordsCount(slot: number): number {
    return (this.#numbers[slot * STRIDE + RECORDS] ?? 0) % COUNT_BITS;
  }

  setRecords(slot: number, start: number, count: number): void {
    this.#numbers[slot * STRIDE + RECORDS] = start * COUNT_BITS + count;
  }

  #fate(slot: number): number {
    return this.#numbers[slot * STRIDE + FATE] ?? 0;
  }
}
