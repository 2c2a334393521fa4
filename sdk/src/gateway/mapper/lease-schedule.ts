/** RFC 6887 section 11.2.1: the same mapping is never asked for more often than this. */
const MIN_RETRY_MS = 4000;
/** Between two looks: a device that announces restarts all the time must not make us flood the router. */
const MIN_LOOK_MS = 1000;
/** Unanswered looks before the mapping counts as lost. */
const MAX_SILENT_LOOKS = 3;

/** When a mapping is looked at and when its lease is renewed. No I/O: asked with the time, it says what is due. */
export class LeaseSchedule {
  readonly #renewIntervalMs: number;
  readonly #random: () => number;
  #nextLook = 0;
  #lastLook = Number.NEGATIVE_INFINITY;
  #nextRenewal = Number.POSITIVE_INFINITY;
  #silentLooks = 0;

  /** @param renewIntervalMs between two looks; @param random 0 <= n < 1 */
  constructor(renewIntervalMs: number, random: () => number) {
    this.#renewIntervalMs = renewIntervalMs;
    this.#random = random;
  }

  /** The last look was not answered. */
  get isSilent(): boolean {
    return this.#silentLooks > 0;
  }

  /** Milliseconds until a look or a renewal is due. */
  waitMs(now: number): number {
    return Math.max(0, Math.min(this.#nextLook, this.#nextRenewal) - now);
  }

  /** Milliseconds that must pass before the next look, however pressing its reason is. */
  restMs(now: number): number {
    return Math.max(0, this.#lastLook + MIN_LOOK_MS - now);
  }

  isRenewalDue(now: number): boolean {
    return now >= this.#nextRenewal;
  }

  /** A look begins. */
  onLook(now: number): void {
    this.#lastLook = now;
  }

  /** Something failed that is not the gateway's fault. */
  retry(now: number): void {
    this.#nextLook = now + MIN_RETRY_MS;
  }

  lookNow(now: number): void {
    this.#nextLook = now;
  }

  /** The gateway answered, whatever it said. */
  onAnswer(): void {
    this.#silentLooks = 0;
  }

  /** A look or a renewal succeeded, or the mapping was made. `leftMs` of the lease are left, `undefined` for a permanent entry. */
  onSuccess(now: number, leftMs: number | undefined, isRenewed: boolean): void {
    this.#silentLooks = 0;
    this.#nextLook = now + this.#renewIntervalMs * (0.9 + 0.2 * this.#random());
    if (leftMs === undefined) this.#nextRenewal = Number.POSITIVE_INFINITY;
    // RFC 6887 section 11.2.1: first at a random time between half and five eighths of the lease.
    else if (isRenewed || now + leftMs < this.#nextRenewal) {
      this.#nextRenewal = now + Math.max(MIN_RETRY_MS / 4, leftMs * (1 / 2 + this.#random() / 8));
    }
  }

  /** A look was not answered. False: the mapping counts as lost. While the lease runs, only lasting silence is a loss. */
  onSilence(now: number, leftMs: number | undefined): boolean {
    this.#silentLooks++;
    if (this.#silentLooks >= MAX_SILENT_LOOKS || (leftMs !== undefined && leftMs <= 0)) return false;
    this.#nextLook = now + MIN_RETRY_MS;
    this.#nextRenewal = Math.max(this.#nextRenewal, this.#nextLook);
    return true;
  }

  /** The gateway refused to prolong the lease. False: the mapping counts as lost. While the lease runs it may agree later. */
  onRefusal(now: number, leftMs: number | undefined): boolean {
    if (leftMs === undefined || leftMs <= MIN_RETRY_MS) return false;
    this.#nextLook = now + MIN_RETRY_MS;
    // RFC 6887 section 11.2.1: at three quarters, at seven eighths, and so on, no closer than 4 s.
    this.#nextRenewal = Math.max(this.#nextRenewal, now + Math.max(MIN_RETRY_MS, leftMs / 4));
    return true;
  }

  /** The gateway cannot be asked any more. */
  giveUp(): void {
    this.#silentLooks = MAX_SILENT_LOOKS;
  }
}
