/** How far ahead of its reader a stream may be. Does no I/O. */
import { FIRST_WINDOW_BYTES } from "../wire/protocol.ts";

/** 100 Mbit/s over a round trip of 160 ms. */
const MAX_WINDOW_BYTES = 2 << 20;
/** A window that is emptied this fast holds the stream up: it doubles, ms. */
const FAST_MS = 150;

/** What the streams of one program have promised to hold, together. */
export class WindowBudget {
  readonly #capacity: number;
  #bytes = 0;

  /** @param capacity bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing, if there is no room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#capacity) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What one side lets the other send. It grows while its reader is fast, and the budget has room. */
export class ReceiveWindow {
  readonly #budget: WindowBudget;
  #size = FIRST_WINDOW_BYTES;
  /** What the other side may still send. */
  #open = FIRST_WINDOW_BYTES;
  #consumed = 0;
  #grantedAt: number;

  private constructor(budget: WindowBudget, now: number) {
    this.#budget = budget;
    this.#grantedAt = now;
  }

  /** Undefined where the budget has no room. @param now ms, monotonic */
  static open(budget: WindowBudget, now: number): ReceiveWindow | undefined {
    return budget.take(FIRST_WINDOW_BYTES) ? new ReceiveWindow(budget, now) : undefined;
  }

  get size(): number {
    return this.#size;
  }

  /** False for more than was allowed. */
  received(bytes: number): boolean {
    this.#open -= bytes;
    return this.#open >= 0;
  }

  /** The reader has taken `bytes`. @returns how many more to allow; 0 while it is not worth a message */
  consumed(bytes: number, now: number): number {
    this.#consumed += bytes;
    if (this.#consumed * 2 < this.#size) return 0;
    let more = this.#consumed;
    const isFast = now - this.#grantedAt < FAST_MS;
    if (isFast && this.#size < MAX_WINDOW_BYTES && this.#budget.take(this.#size)) {
      more += this.#size;
      this.#size *= 2;
    }
    this.#consumed = 0;
    this.#grantedAt = now;
    this.#open += more;
    return more;
  }

  /** Gives its share of the budget back. Idempotent. */
  close(): void {
    this.#budget.give(this.#size);
    this.#size = 0;
  }
}
