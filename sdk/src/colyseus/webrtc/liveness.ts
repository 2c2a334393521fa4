/** Time between two pings, ms. */
export const PING_INTERVAL_MS = 1000;
/** What one ping more counts in the estimate of loss. */
const LOSS_GAIN = 1 / 16;

/** Knows from pings whether the other side is there, how far away, and what gets lost. */
export class Liveness {
  /** Smoothed as in RFC 9002 section 5.3; 0 before the first sample. */
  rttMs = 0;
  jitterMs = 0;
  /** Share of pings that were not answered lately, 0-1. */
  loss = 0;
  readonly #timeoutMs: number;
  #heardAt: number;
  #ping = 0;
  #pingedAt = Number.NEGATIVE_INFINITY;
  #answered = true;

  /** @param timeoutMs 0 = for ever */
  constructor(timeoutMs: number, now: number) {
    this.#timeoutMs = timeoutMs;
    this.#heardAt = now;
  }

  heard(now: number): void {
    this.#heardAt = now;
  }

  silentMs(now: number): number {
    return now - this.#heardAt;
  }

  isLost(now: number): boolean {
    return this.#timeoutMs > 0 && now - this.#heardAt > this.#timeoutMs;
  }

  /** @returns the number to ping with, if it is time to */
  nextPing(now: number): number | undefined {
    if (now - this.#pingedAt < PING_INTERVAL_MS) return undefined;
    if (this.#ping > 0) this.loss += ((this.#answered ? 0 : 1) - this.loss) * LOSS_GAIN;
    this.#pingedAt = now;
    this.#answered = false;
    return ++this.#ping;
  }

  pong(number: number, now: number): void {
    if (number !== this.#ping || this.#answered) return;
    this.#answered = true;
    const sample = now - this.#pingedAt;
    if (this.rttMs === 0) {
      this.rttMs = sample;
      this.jitterMs = sample / 2;
    } else {
      this.jitterMs += (Math.abs(this.rttMs - sample) - this.jitterMs) / 4;
      this.rttMs += (sample - this.rttMs) / 8;
    }
  }
}
