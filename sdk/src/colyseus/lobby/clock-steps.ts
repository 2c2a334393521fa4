import { type Clock, systemClock } from "../../net/clock.ts";

/** Between two looks, ms. */
const LOOK_MS = 5000;

/** Tells when this machine's wall clock was set: by NTP, by a person, by a virtual machine that is resumed. */
export class ClockSteps {
  readonly #toleranceMs: number;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  /** By how much the wall clock is ahead of the one that nobody sets, when that was last told, ms. */
  #aheadMs = 0;
  #cancel: (() => void) | undefined;

  /** @param toleranceMs smaller steps, also several together, are nobody's business */
  constructor(toleranceMs: number, clock: Clock = systemClock) {
    this.#toleranceMs = toleranceMs;
    this.#clock = clock;
  }

  /** Calls back at most 5 s after each step. The function returned takes the listener back. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#cancel === undefined) {
      this.#aheadMs = this.#measure();
      this.#schedule();
    }
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    };
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#schedule();
      const aheadMs = this.#measure();
      if (Math.abs(aheadMs - this.#aheadMs) <= this.#toleranceMs) return;
      this.#aheadMs = aheadMs;
      // Those of this moment: one that watches again while it is told is not told again.
      const listeners = [...this.#listeners];
      for (const listener of listeners) listener();
    });
  }

  #measure(): number {
    return this.#clock.unixNow() - this.#clock.now();
  }
}
