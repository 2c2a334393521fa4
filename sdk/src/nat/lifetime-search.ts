/** Up to here a NAT's lifetime decides how often to send, and is worth a closer look. */
const CLOSE_LOOK_BELOW_MS = 60_000;
/** Silences of a round between the longest that was survived and the shortest that was not. */
const CLOSE_LOOKS = 4;
/** It is known well enough when these two are no further apart than this share of the first. */
const SHARPNESS = 1 / 3;
const MAX_ROUNDS = 4;
const MAX_WAITS = 32;
const MAX_WAIT_MS = 3_600_000;

/** @throws {RangeError} for silences that are none, or too many */
export function checkWaits(waitsMs: readonly number[]): void {
  if (waitsMs.length > 0 && waitsMs.length <= MAX_WAITS && waitsMs.every((wait) => wait > 0 && wait < MAX_WAIT_MS))
    return;
  const given = JSON.stringify(waitsMs);
  throw new RangeError(`Silences to try are 1 to ${MAX_WAITS} times between 0 and an hour, in ms, not ${given}.`);
}

/** Which silences to try next, from what became of those before. */
export class NatSilences {
  /** Whether a mapping that seems gone is gone for certain, so that one that seems alive after it is not. */
  goneIsCertain = false;
  #longestSurvived = 0;
  #shortestGone: number = Number.POSITIVE_INFINITY;
  readonly #waits: readonly number[];
  #rounds = 0;
  #notes = 0;

  /** @throws {RangeError} */
  constructor(waitsMs: readonly number[]) {
    checkWaits(waitsMs);
    this.#waits = [...new Set(waitsMs)].sort((a, b) => a - b);
  }

  /** In ms; 0 for none. */
  get longestSurvived(): number {
    return this.#longestSurvived;
  }

  /** In ms; Infinity for none. */
  get shortestGone(): number {
    return this.#shortestGone;
  }

  /** Silences to keep at once; `null` when enough is known, `unanswered` when the last round told nothing. */
  nextRound(): readonly number[] | "unanswered" | null {
    if (this.#rounds > 0 && this.#notes === 0) return "unanswered";
    const round = this.#rounds >= MAX_ROUNDS ? [] : this.#propose();
    this.#rounds++;
    this.#notes = 0;
    return round.length === 0 ? null : round;
  }

  note(waitMs: number, survived: boolean): void {
    this.#notes++;
    if (!survived) {
      if (waitMs > this.#longestSurvived) this.#shortestGone = Math.min(this.#shortestGone, waitMs);
    } else if (waitMs < this.#shortestGone || !this.goneIsCertain) {
      this.#longestSurvived = Math.max(this.#longestSurvived, waitMs);
      // What did not come back after a shorter silence was lost on the way.
      if (waitMs >= this.#shortestGone) this.#shortestGone = Number.POSITIVE_INFINITY;
    }
  }

  /** Whether a silence would tell nothing more. */
  isMoot(waitMs: number): boolean {
    return waitMs > this.#shortestGone;
  }

  #propose(): number[] {
    const low = this.#longestSurvived;
    const high = this.#shortestGone;
    if (high === Number.POSITIVE_INFINITY) return this.#waits.filter((wait) => wait > low);
    const isSharp = high - low <= low * SHARPNESS;
    if (low >= CLOSE_LOOK_BELOW_MS || (isSharp && this.#rounds > 1)) return [];
    return Array.from({ length: CLOSE_LOOKS }, (_, index) => low + ((high - low) * (index + 1)) / CLOSE_LOOKS);
  }
}
