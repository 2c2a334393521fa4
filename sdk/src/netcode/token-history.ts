/**
 * Tokens that this server has seen, until they expire. A token is pending from its first request, admits the address of
 * that request only, and is consumed when its client gets a slot; a consumed token admits nothing, so that no client ever
 * starts its sequence anew under used keys (netcode 1.4.5, pull request 183, advisory GHSA-v29p-3vj4-vg4f).
 */
export class TokenHistory {
  readonly #capacity: number;
  readonly #entries: Map<string, TokenEntry> = new Map();
  /** The same entries as a binary heap, the first to expire on top. */
  readonly #heap: TokenEntry[] = [];

  /** @param capacity entries; a full history of unexpired tokens refuses new ones, since forgetting is what attackers want */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#heap.length;
  }

  /**
   * A request with an authentic token. Times are unix seconds. `"used"`: consumed, or pending at another address.
   * `"full"`: no room. Otherwise the entry, to be consumed when its client is installed.
   */
  admit(tag: string, address: string, port: number, expire: number, now: number): TokenEntry | "used" | "full" {
    const known = this.#entries.get(tag);
    if (known) return !known.consumed && known.address === address && known.port === port ? known : "used";
    for (let top = this.#heap[0]; top && top.expire <= now; top = this.#heap[0]) this.#removeTop();
    if (this.#heap.length >= this.#capacity) return "full";
    const entry = new TokenEntry(tag, address, port, expire);
    this.#entries.set(tag, entry);
    this.#push(entry);
    return entry;
  }

  #push(entry: TokenEntry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as TokenEntry;
      if (parent.expire <= entry.expire) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #removeTop(): void {
    const heap = this.#heap;
    this.#entries.delete((heap[0] as TokenEntry).tag);
    const last = heap.pop() as TokenEntry;
    if (heap.length === 0) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      const right = heap[below + 1];
      if (right && right.expire < (heap[below] as TokenEntry).expire) below++;
      const child = heap[below] as TokenEntry;
      if (last.expire <= child.expire) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

export class TokenEntry {
  /** The tag of the private token, which names it, as text. */
  readonly tag: string;
  readonly address: string;
  readonly port: number;
  /** Unix seconds. */
  readonly expire: number;
  consumed = false;

  constructor(tag: string, address: string, port: number, expire: number) {
    this.tag = tag;
    this.address = address;
    this.port = port;
    this.expire = expire;
  }
}
