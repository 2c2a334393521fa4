/**
 * A token bucket for each key, in bounded memory: when more keys are alive than are kept, the one that has been quiet
 * longest is forgotten, which at worst gives that one a full bucket again.
 */
export class RateLimiter {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #maxKeys: number;
  // A Map keeps insertion order: the first entry is the longest quiet.
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(options: { burst: number; perSecond: number; maxKeys?: number }) {
    this.#burst = options.burst;
    this.#perMs = options.perSecond / 1000;
    this.#maxKeys = options.maxKeys ?? 10_000;
  }

  /** Takes tokens; false, and none, if there are too few. `now` in ms; a clock that went back gives no tokens. */
  take(key: string, now: number, tokens = 1): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + Math.max(0, now - bucket.at) * this.#perMs);
    bucket.at = now;
    const granted = bucket.tokens >= tokens;
    if (granted) bucket.tokens -= tokens;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return granted;
  }

  get size(): number {
    return this.#buckets.size;
  }
}
