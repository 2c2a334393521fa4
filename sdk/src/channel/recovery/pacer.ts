const BURST_BYTES = 12_000;
/** Timers are no finer than a millisecond: what two of them are worth may leave at once. */
const BURST_MS = 2;

/** Spreads a window over a round trip (RFC 9002 section 7.7): a bucket that fills somewhat faster than the window turns over. */
export class Pacer {
  #tokens: number = BURST_BYTES;
  #filledAt = -Infinity;
  #rate = 1;

  /** @param gain by how much to exceed the window per round trip: 2 in slow start, else 1.25 */
  update(now: number, window: number, rttMs: number, gain: number): void {
    this.#rate = (gain * window) / Math.max(rttMs, 0.1);
    const burst = Math.max(BURST_BYTES, this.#rate * BURST_MS);
    const filled = this.#tokens + (now - this.#filledAt) * this.#rate;
    this.#tokens = Math.min(filled, burst);
    this.#filledAt = now;
  }

  /** Whether bulk may go now. */
  get ready(): boolean {
    return this.#tokens > 0;
  }

  /** When bulk may go. */
  get readyAt(): number {
    return this.#tokens > 0 ? this.#filledAt : this.#filledAt + Math.max((1 - this.#tokens) / this.#rate, 0.01);
  }

  /** Small messages don't wait for the pacer, but what they take bulk has to wait for. */
  onSent(bytes: number): void {
    this.#tokens = Math.max(this.#tokens - bytes, -BURST_BYTES);
  }
}
