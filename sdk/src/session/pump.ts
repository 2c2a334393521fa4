/** What the pump drives: sends what is due, and says when to come back (ms on the pump's clock). */
export interface Pumped {
  flushAt(now: number): number;
}

/** Longest sleep, ms: bounds what a deadline that was reckoned wrongly can cost. */
const MAX_SLEEP_MS = 100;

/**
 * The one timer of all sessions on a socket. Messages sent within a tick leave together at its end; retransmissions and
 * delayed acknowledgements leave when they are due. It holds no process alive.
 */
export class SessionPump {
  /** Monotonic ms. */
  readonly now: () => number;
  readonly #deadlines = new Map<Pumped, number>();
  readonly #dirty = new Set<Pumped>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  add(session: Pumped): void {
    this.#deadlines.set(session, Number.POSITIVE_INFINITY);
  }

  delete(session: Pumped): void {
    this.#deadlines.delete(session);
    this.#dirty.delete(session);
  }

  flushAtEndOfTick(session: Pumped): void {
    if (this.#closed || !this.#deadlines.has(session)) return;
    if (this.#dirty.size === 0) queueMicrotask(this.#flushDirty);
    this.#dirty.add(session);
  }

  /** Sends what is due without waiting for the end of the tick, and keeps the session's deadline. */
  flushNow(session: Pumped): void {
    if (this.#closed || !this.#deadlines.has(session)) return;
    this.#dirty.delete(session);
    this.#flush(session, this.now());
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#deadlines.clear();
    this.#dirty.clear();
  }

  readonly #flushDirty = (): void => {
    const now = this.now();
    for (const session of this.#dirty) {
      this.#dirty.delete(session);
      this.#flush(session, now);
    }
  };

  #flush(session: Pumped, now: number): void {
    const deadline = session.flushAt(now);
    if (!this.#deadlines.has(session)) return;
    this.#deadlines.set(session, deadline);
    if (deadline < this.#timerAt) this.#arm(deadline, now);
  }

  #arm(at: number, now: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(this.#expire, Math.min(Math.max(1, Math.ceil(at - now)), MAX_SLEEP_MS));
    this.#timer.unref();
  }

  readonly #expire = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [session, deadline] of this.#deadlines) {
      if (deadline <= now) this.#flush(session, now);
      next = Math.min(next, this.#deadlines.get(session) ?? next);
    }
    if (next < this.#timerAt && !this.#closed) this.#arm(next, now);
  };
}
