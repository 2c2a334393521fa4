/**
 * Whether a gateway's epoch (its seconds since it lost its mappings) still fits what was seen before: RFC 6887 section
 * 8.5, which also covers NAT-PMP's older rule (RFC 6886 section 3.6).
 */
export class EpochTracker {
  #epoch: number | undefined;
  #at = 0;
  readonly #judge: (previous: number, current: number, elapsedSeconds: number) => boolean;

  constructor(rule: "pcp" | "nat-pmp") {
    this.#judge = rule === "pcp" ? isPcpEpochValid : isNatPmpEpochValid;
  }

  /** Takes note of an epoch read at `now` (monotonic milliseconds). False: the gateway lost its state. */
  observe(epoch: number, now: number): boolean {
    const previous = this.#epoch;
    const elapsed = (now - this.#at) / 1000;
    this.#epoch = epoch;
    this.#at = now;
    return previous === undefined || this.#judge(previous, epoch, elapsed);
  }
}

/** RFC 6887 section 8.5. */
export function isPcpEpochValid(previous: number, current: number, clientSeconds: number): boolean {
  if (current + 1 < previous) return false;
  const serverSeconds = current - previous;
  return (
    clientSeconds + 2 >= serverSeconds - serverSeconds / 16 && serverSeconds + 2 >= clientSeconds - clientSeconds / 16
  );
}

/** RFC 6886 section 3.6: the epoch may lag behind 7/8 of our own clock by two seconds. */
export function isNatPmpEpochValid(previous: number, current: number, clientSeconds: number): boolean {
  return current + 2 >= previous + (clientSeconds * 7) / 8;
}
