/** Timers don't fire finer than this (RFC 9002 section 6.1.2, kGranularity), in ms. */
export const GRANULARITY_MS = 1;
/** Longer than any path: such a sample tells of a sleeping process or a clock that jumped. */
const LONGEST_SAMPLE_MS = 10_000;

/** The round trip, estimated as RFC 9002 section 5 has it. */
export class RttEstimator {
  smoothed: number;
  variance: number;
  min: number = Infinity;
  latest: number;
  sampled = false;

  constructor(initialMs: number) {
    this.smoothed = initialMs;
    this.latest = initialMs;
    this.variance = initialMs / 4;
  }

  /**
   * @param elapsedMs from sending a packet to learning that it arrived
   * @param ackDelayMs how much of it the peer says that it waited. Taken off from every sample, the first and the lowest
   *   too, unlike section 5.3: peers are authenticated, and one that lies has itself sent to at the wrong time.
   */
  sample(elapsedMs: number, ackDelayMs: number): void {
    if (!(elapsedMs >= 0) || elapsedMs > LONGEST_SAMPLE_MS) return;
    const rtt = Math.max(elapsedMs - ackDelayMs, 0);
    this.latest = rtt;
    this.min = Math.min(this.min, rtt);
    if (!this.sampled) {
      this.sampled = true;
      this.smoothed = rtt;
      this.variance = rtt / 2;
      return;
    }
    this.variance += (Math.abs(this.smoothed - rtt) - this.variance) / 4;
    this.smoothed += (rtt - this.smoothed) / 8;
  }

  /** The path is another one: the old estimate is a guess, which the first sample replaces (RFC 9000 section 9.4). */
  onPathChanged(): void {
    this.sampled = false;
    this.min = Infinity;
  }

  /** How long to wait for an acknowledgement, without the peer's delay (section 6.2.1). */
  get probeMs(): number {
    return this.smoothed + Math.max(4 * this.variance, GRANULARITY_MS);
  }
}
