import { REPLAY_WINDOW } from "./constants.ts";

/** Twice the window, so that clearing whole words never clears a sequence that is still inside it (RFC 6479). */
const WORDS = (2 * REPLAY_WINDOW) / 32;

/**
 * Which of the last 256 sequences arrived. Sequences are unsigned 64-bit numbers in two halves, since a double ends at
 * 2^53 and a bigint allocates. Differences are doubles: exact below 2^53, and above it only their size matters.
 */
export class ReplayWindow {
  #low = 0;
  #high = 0;
  readonly #bits: Uint32Array = new Uint32Array(WORDS);

  /** How far `sequence` lies behind the newest; negative if it is newer. Subtracted, never added: no overflow at 2^64. */
  #age(low: number, high: number): number {
    return (this.#high - high) * 0x1_0000_0000 + (this.#low - low);
  }

  /** Whether a packet of this sequence may be decrypted: inside the window and not yet received. */
  accepts(low: number, high: number): boolean {
    const age = this.#age(low, high);
    if (age >= REPLAY_WINDOW) return false;
    if (age < 0) return true;
    return ((this.#bits[(low >>> 5) & (WORDS - 1)] as number) & (1 << (low & 31))) === 0;
  }

  /** Records an authentic packet. Returns whether it is the newest so far. */
  record(low: number, high: number): boolean {
    const age = this.#age(low, high);
    const newer = age < 0;
    if (newer) {
      const words = (high - this.#high) * 0x800_0000 + ((low >>> 5) - (this.#low >>> 5));
      if (words >= WORDS) this.#bits.fill(0);
      else for (let word = 1; word <= words; word++) this.#bits[((this.#low >>> 5) + word) & (WORDS - 1)] = 0;
      this.#low = low;
      this.#high = high;
    }
    const index = (low >>> 5) & (WORDS - 1);
    this.#bits[index] = (this.#bits[index] as number) | (1 << (low & 31));
    return newer || age === 0;
  }

  reset(): void {
    this.#low = 0;
    this.#high = 0;
    this.#bits.fill(0);
  }

  /** The newest sequence received; 0 before the first. */
  get newest(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }
}
