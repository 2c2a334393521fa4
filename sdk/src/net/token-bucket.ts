/** `burst` at once, and `perSecond` in the long run. Time is handed in, in ms; a clock that went back gives no tokens. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #at = 0;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
  }

  /** Takes tokens; false, and none, if there are too few. */
  take(now: number, tokens = 1): boolean {
    this.#fill(now);
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** How long until so many tokens are there, ms; 0 when they are. Takes none. */
  waitMs(now: number, tokens = 1): number {
    this.#fill(now);
    return this.#tokens >= tokens ? 0 : Math.ceil((tokens - this.#tokens) / this.#perMs);
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
  }
}

export interface RateLimiterOptions {
  /** Tokens of a full bucket. */
  burst: number;
  perSecond: number;
  /** Callers that are remembered. Default 10 000. */
  maxKeys?: number;
}

/**
 * A token bucket for each caller, in bounded memory: when more are alive than are kept, the one that has been quiet longest is
 * forgotten, which at worst gives that one a full bucket again. Senders are counted by their `callerKey`.
 */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #maxKeys: number;
  // A Map keeps insertion order: the first entry is the longest quiet.
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#maxKeys = options.maxKeys ?? 10_000;
  }

  /** Takes tokens; false, and none, if there are too few. `now` in ms. */
  take(key: string, now: number, tokens = 1): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#options.burst, this.#options.perSecond);
    const granted = bucket.take(now, tokens);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return granted;
  }

  /** As {@link TokenBucket.waitMs}; nobody is remembered for it. */
  waitMs(key: string, now: number, tokens = 1): number {
    return this.#buckets.get(key)?.waitMs(now, tokens) ?? 0;
  }

  get size(): number {
    return this.#buckets.size;
  }
}
