/** A peer that holds nearly as much as the one that holds most may have to go in its place. */
const NEARLY = 7 / 8;
/** Who holds less than this holds nothing worth speaking of. */
const LITTLE_BYTES = 16_384;

/**
 * Bytes that all peers of one server make it hold, together. When there is no room for more, the peer that holds most ends; of those
 * that hold nearly as much, the one that has let go of nothing for longest: a peer that takes what is sent to it lets go all the time.
 */
export class HeldBytesBudget {
  /** Bytes. */
  readonly capacity: number;
  /** @internal {@link HeldBytes} counts here. */
  bytes = 0;
  /** @internal Counts the times that a holder let go of something, or began to hold much. */
  turns = 0;
  readonly #holders = new Set<HeldBytes>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** @param end this peer has to go: it lets go of everything at once, and is counted no more; told how many bytes it held */
  open(end: (bytes: number) => void): HeldBytes {
    const holder = new HeldBytes(this, end);
    this.#holders.add(holder);
    return holder;
  }

  /** @internal Ends holders until `bytes` more have room. @returns false if the one that asks had to go itself. */
  makeRoom(asking: HeldBytes, bytes: number): boolean {
    while (this.bytes + bytes > this.capacity) {
      const victim = this.#victim(asking, bytes);
      const held = heldBy(victim, asking, bytes);
      victim.close();
      victim.end(held);
      if (victim === asking) return false;
    }
    return true;
  }

  /** @internal */
  forget(holder: HeldBytes): void {
    this.#holders.delete(holder);
  }

  #victim(asking: HeldBytes, bytes: number): HeldBytes {
    let most = 0;
    for (const holder of this.#holders) most = Math.max(most, heldBy(holder, asking, bytes));
    let victim = asking;
    let since = Number.POSITIVE_INFINITY;
    for (const holder of this.#holders) {
      if (heldBy(holder, asking, bytes) < most * NEARLY || holder.since >= since) continue;
      victim = holder;
      since = holder.since;
    }
    return victim;
  }
}

/** One peer's share of a {@link HeldBytesBudget}. */
export class HeldBytes {
  bytes = 0;
  /** @internal When it let go of something last, or began to hold much, by the budget's count. */
  since = 0;
  /** @internal */
  readonly end: (bytes: number) => void;
  readonly #budget: HeldBytesBudget;
  #closed = false;

  constructor(budget: HeldBytesBudget, end: (bytes: number) => void) {
    this.#budget = budget;
    this.end = end;
  }

  /** @returns false if there was no room, and this peer had to go. One that is closed is not counted. */
  take(bytes: number): boolean {
    if (this.#closed) return true;
    const budget = this.#budget;
    if (this.bytes < LITTLE_BYTES) this.since = ++budget.turns;
    if (budget.bytes + bytes > budget.capacity && !budget.makeRoom(this, bytes)) return false;
    this.bytes += bytes;
    budget.bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    if (this.#closed || bytes === 0) return;
    this.bytes -= bytes;
    this.#budget.bytes -= bytes;
    this.since = ++this.#budget.turns;
  }

  /** Gives all back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.give(this.bytes);
    this.#closed = true;
    this.#budget.forget(this);
  }
}

function heldBy(holder: HeldBytes, asking: HeldBytes, bytes: number): number {
  return holder.bytes + (holder === asking ? bytes : 0);
}

/** What a peer is told that had to go. */
export function describeFull(budget: HeldBytesBudget, bytes: number): string {
  const [all, share] = [budget.capacity, bytes].map((each) => Math.round((each / 2 ** 20) * 10) / 10);
  return `The ${all} MiB for messages that wait were full, and this session held ${share} of them (limits.heldBytes).`;
}

/** For a peer that shares no budget. */
export function unboundedBytes(): HeldBytes {
  return new HeldBytesBudget(Number.POSITIVE_INFINITY).open(() => {});
}
