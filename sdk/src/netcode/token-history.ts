/**
 * Tokens that this server has seen, until they expire. A token is pending from its first request, admits the address of
 * that request only, and is consumed when its client gets a slot; a consumed token admits nothing, so that no client ever
 * starts its sequence anew under used keys (netcode 1.4.5, pull request 183, advisory GHSA-v29p-3vj4-vg4f).
 *
 * A client id that is named has one pending token: another one takes its place.
 */
export class TokenHistory {
  readonly #capacity: number;
  readonly #entries: Map<string, TokenEntry> = new Map();
  /** The same entries as a binary heap, the first to expire on top. */
  readonly #heap: TokenEntry[] = [];
  /** Of each client the entry that came last. */
  readonly #latest: Map<bigint, TokenEntry> = new Map();

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
   * @param clientId the token's; without it the token replaces no other
   */
  admit(
    tag: string,
    address: string,
    port: number,
    expire: number,
    now: number,
    clientId?: bigint,
  ): TokenEntry | "used" | "full" {
    const known = this.#entries.get(tag);
    if (known) return !known.consumed && known.address === address && known.port === port ? known : "used";
    for (let top = this.#heap[0]; top && top.expire <= now; top = this.#heap[0]) this.#remove(top);
    const former = clientId === undefined ? undefined : this.#latest.get(clientId);
    if (former && !former.consumed) this.#remove(former);
    if (this.#heap.length >= this.#capacity) return "full";
    const entry = new TokenEntry(tag, address, port, expire, clientId);
    this.#entries.set(tag, entry);
    if (clientId !== undefined) this.#latest.set(clientId, entry);
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1, entry);
    return entry;
  }

  #remove(entry: TokenEntry): void {
    const heap = this.#heap;
    this.#entries.delete(entry.tag);
    if (entry.clientId !== undefined && this.#latest.get(entry.clientId) === entry) this.#latest.delete(entry.clientId);
    const last = heap.pop() as TokenEntry;
    if (last === entry) return;
    // The last entry fills the gap; where the gap is on another branch, it may have to go up instead of down.
    this.#rise(this.#sink(entry.position, last), last);
  }

  /** Puts an entry at a position, or above it: as far up as it expires before those there. */
  #rise(position: number, entry: TokenEntry): void {
    const heap = this.#heap;
    let at = position;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as TokenEntry;
      if (parent.expire <= entry.expire) break;
      this.#place(at, parent);
      at = above;
    }
    this.#place(at, entry);
  }

  /** Finds where, at a position or below it, an entry belongs; moves those up that expire before it. */
  #sink(position: number, entry: TokenEntry): number {
    const heap = this.#heap;
    let at = position;
    for (let below = 2 * at + 1; below < heap.length; below = 2 * at + 1) {
      const right = heap[below + 1];
      if (right && right.expire < (heap[below] as TokenEntry).expire) below++;
      const child = heap[below] as TokenEntry;
      if (entry.expire <= child.expire) break;
      this.#place(at, child);
      at = below;
    }
    return at;
  }

  #place(at: number, entry: TokenEntry): void {
    this.#heap[at] = entry;
    entry.position = at;
  }
}

export class TokenEntry {
  /** The tag of the private token, which names it, as text. */
  readonly tag: string;
  readonly address: string;
  readonly port: number;
  /** Unix seconds. */
  readonly expire: number;
  readonly clientId: bigint | undefined;
  consumed = false;
  /** In the history's heap. */
  position = 0;

  constructor(tag: string, address: string, port: number, expire: number, clientId?: bigint) {
    this.tag = tag;
    this.address = address;
    this.port = port;
    this.expire = expire;
    this.clientId = clientId;
  }
}
