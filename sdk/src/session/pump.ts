import { soon } from "./soon.ts";

/** What the pump drives. */
export interface Pumped {
  /** Sends what is due, and says when to come back (ms on the pump's clock): Infinity once it has ended. */
  flushAt(now: number): number;
  /** The pump's: when it comes back. */
  deadline: number;
  /** The pump's: whether it comes at the end of this tick. */
  queued: boolean;
}

/** Longest sleep, ms: bounds what a deadline that was reckoned wrongly can cost. */
const MAX_SLEEP_MS = 100;

/**
 * So many sessions are flushed in one go; then the socket is read, as many datagrams as the event loop takes at a time, before
 * the next: a server that sends to a thousand players for 10 ms would overrun its receive buffer meanwhile.
 */
const SESSIONS_PER_TURN = 32;

/**
 * A reaction to this runs at the end of the tick. `queueMicrotask` does too, but makes an object and calls hooks each
 * time, which costs about a third of a datagram.
 */
const SETTLED = Promise.resolve();

/**
 * The one timer of all sessions on a socket. Messages sent within a tick leave together at its end; acknowledgements that
 * are due at once leave when all datagrams that are there have been read; retransmissions and delayed acknowledgements
 * leave when they are due. It holds no process alive.
 */
export class SessionPump {
  /** Monotonic ms. */
  readonly now: () => number;
  readonly #sessions = new Set<Pumped>();
  /** To be flushed at the end of the tick: from `#flushed` on, up to `#queued`. The array keeps its length. */
  #queue: (Pumped | null)[] = [];
  #flushed = 0;
  #queued = 0;
  #due: Pumped[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  add(session: Pumped): void {
    session.deadline = Number.POSITIVE_INFINITY;
    session.queued = false;
    this.#sessions.add(session);
  }

  delete(session: Pumped): void {
    session.deadline = Number.POSITIVE_INFINITY;
    this.#sessions.delete(session);
  }

  flushAtEndOfTick(session: Pumped): void {
    if (session.queued || this.#closed) return;
    session.queued = true;
    if (this.#queued === 0) void SETTLED.then(this.#flushQueue);
    this.#queue[this.#queued++] = session;
  }

  /** Sends what is due without waiting for the end of the tick, and keeps the session's deadline. */
  flushNow(session: Pumped): void {
    this.#flush(session, this.now());
  }

  /** Comes back at `at`; if that is now, once all datagrams that have arrived are read. */
  comeBack(session: Pumped, at: number, now: number): void {
    if (this.#closed) return;
    session.deadline = at;
    if (at <= now) {
      if (this.#due.push(session) === 1) soon(this.#flushDue);
    } else if (at < this.#timerAt) {
      this.#arm(at, now);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#sessions.clear();
    this.#queue = [];
    this.#flushed = 0;
    this.#queued = 0;
    this.#due = [];
  }

  readonly #flushQueue = (): void => {
    const queue = this.#queue;
    const end = Math.min(this.#queued, this.#flushed + SESSIONS_PER_TURN);
    const now = this.now();
    for (let n = this.#flushed; n < end; n++) {
      const session = queue[n];
      if (!session) continue;
      queue[n] = null;
      session.queued = false;
      this.#flush(session, now);
    }
    if (end < this.#queued) {
      this.#flushed = end;
      soon(this.#flushQueue);
    } else {
      this.#flushed = 0;
      this.#queued = 0;
    }
  };

  readonly #flushDue = (): void => {
    const due = this.#due;
    this.#due = [];
    const now = this.now();
    // Many were flushed meanwhile, because they had something to send.
    for (const session of due) if (session.deadline <= now) this.#flush(session, now);
  };

  #flush(session: Pumped, now: number): void {
    if (this.#closed) return;
    const deadline = session.flushAt(now);
    session.deadline = deadline;
    if (deadline < this.#timerAt) this.#arm(deadline, now);
  }

  #arm(at: number, now: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(this.#expire, Math.min(Math.max(1, Math.ceil(at - now)), MAX_SLEEP_MS));
    // A page has nothing to be kept alive.
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  readonly #expire = (): void => {
    // Armed once, after all.
    this.#timerAt = Number.NEGATIVE_INFINITY;
    const now = this.now();
    let next = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions) {
      if (session.deadline <= now) this.#flush(session, now);
      next = Math.min(next, session.deadline);
    }
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (next < Number.POSITIVE_INFINITY && !this.#closed) this.#arm(next, now);
  };
}
