/** What a stranger's packets may cause is traced a few times a second for each reason, so that a flood stays readable. */
const LINES_PER_SECOND = 3;
/** Reasons come from our own lists; the cap holds should one not. */
const MAX_REASONS = 100;

interface Tally {
  second: number;
  lines: number;
  /** Since the last line of this reason. */
  untold: number;
}

export class TraceLimiter {
  readonly #tallies = new Map<string, Tally>();

  /** @returns how many times the reason came since its last line, this one included; 0 when no line is due
   *  @param nowMs any clock in milliseconds */
  take(reason: string, nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    let tally = this.#tallies.get(reason);
    if (tally === undefined) {
      if (this.#tallies.size >= MAX_REASONS) return 0;
      tally = { second, lines: 0, untold: 0 };
      this.#tallies.set(reason, tally);
    }
    if (tally.second !== second) {
      tally.second = second;
      tally.lines = 0;
    }
    tally.untold++;
    if (tally.lines >= LINES_PER_SECOND) return 0;
    tally.lines++;
    const count = tally.untold;
    tally.untold = 0;
    return count;
  }
}
