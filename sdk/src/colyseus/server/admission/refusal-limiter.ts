import { callerKey } from "../../../net/caller-key.ts";

export interface RefusalLimiterOptions {
  /** Refusals that an address may collect within a window. Default 20. */
  limit?: number;
  /** Default 10 000 ms. */
  windowMs?: number;
  /** Addresses that are remembered within a window. Default 4096. */
  maxAddresses?: number;
}

/**
 * Slows down whoever guesses seats. It counts refusals alone, so that a hundred players behind one proxy or one school's NAT
 * are never held up.
 */
export class RefusalLimiter {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #maxAddresses: number;
  readonly #refusals = new Map<string, number>();
  #windowEnds = Number.NEGATIVE_INFINITY;

  constructor({ limit = 20, windowMs = 10_000, maxAddresses = 4096 }: RefusalLimiterOptions = {}) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#maxAddresses = maxAddresses;
  }

  isBlocked(address: string, now: number): boolean {
    this.#turnWindow(now);
    return (this.#refusals.get(callerKey(address)) ?? 0) >= this.#limit;
  }

  refused(address: string, now: number): void {
    this.#turnWindow(now);
    const caller = callerKey(address);
    const count = this.#refusals.get(caller) ?? 0;
    if (count === 0 && this.#refusals.size >= this.#maxAddresses) return;
    this.#refusals.set(caller, count + 1);
  }

  #turnWindow(now: number): void {
    if (now < this.#windowEnds) return;
    this.#refusals.clear();
    this.#windowEnds = now + this.#windowMs;
  }
}
