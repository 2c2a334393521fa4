import type { CandidatePair } from "./pair.ts";

/** Silence after packets that leads to a check at once. */
const QUIET_MS = 500;
/** How often to look whether packets come, where none did. */
const IDLE_TICK_MS = 2_000;

/**
 * Notices when packets came until now, and then none. That may be the peer's silence or the path's; a check tells which,
 * long before the next one for consent is due.
 */
export class SilenceWatch {
  /** When to look again. */
  nextAt: number = Number.POSITIVE_INFINITY;
  #talking = false;

  /** Another pair is in use. */
  begin(now: number): void {
    this.#talking = false;
    this.nextAt = now + QUIET_MS;
  }

  /** A packet came the way that is in use. */
  heard(now: number): void {
    this.#talking = true;
    this.nextAt = now + QUIET_MS;
  }

  look(selected: CandidatePair, now: number): void {
    if (now < this.nextAt) return;
    if (this.#talking && now - selected.heardAt >= QUIET_MS) {
      this.#talking = false;
      if (selected.unanswered === 0) selected.dueAt = now;
    }
    this.nextAt = now + (this.#talking ? QUIET_MS : IDLE_TICK_MS);
  }
}
