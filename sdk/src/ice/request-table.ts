/** After this long nobody waits for an answer; longer than an agent does. */
const GENERATION_MS = 10_000;

/**
 * Who sent which STUN request, so that an answer finds its way in constant time. Entries live for one to two generations,
 * and need no timers of their own.
 */
export class RequestTable<T> {
  #young: Map<string, T> = new Map();
  #old: Map<string, T> = new Map();
  #bornAt: number = Number.NEGATIVE_INFINITY;

  set(request: Uint8Array, owner: T, now: number): void {
    if (now - this.#bornAt >= GENERATION_MS) {
      this.#old = now - this.#bornAt >= 2 * GENERATION_MS ? new Map() : this.#young;
      this.#young = new Map();
      this.#bornAt = now;
    }
    this.#young.set(keyOf(request), owner);
  }

  /** The owner of the request that this message answers. */
  get(response: Uint8Array): T | undefined {
    if (this.#young.size + this.#old.size === 0) return undefined;
    const key = keyOf(response);
    return this.#young.get(key) ?? this.#old.get(key);
  }
}

/** The transaction id. */
function keyOf(message: Uint8Array): string {
  return Buffer.from(message.buffer, message.byteOffset + 8, 12).toString("latin1");
}
