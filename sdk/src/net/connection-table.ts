/** What a TCP connection is good for at the moment. */
export type ConnectionState =
  /** It carries a player in a room. */
  | "seated"
  /** Its request is here whole and is being answered. */
  | "served"
  /** It is silent, sends a request bit by bit, waits for its next one, or is a WebSocket without a seat. */
  | "waiting";

/** A connection, as far as the table looks at it. */
export interface TableConnection {
  /** When its state changed last, ms of a monotonic clock. */
  readonly since: number;
}

export interface ConnectionTableOptions<Connection> {
  /** Most connections, seated ones among them. */
  total: number;
  /** Most without a seat. */
  unseated: number;
  /** Most without a seat of one caller. */
  perCaller: number;
  stateOf: (connection: Connection) => ConnectionState;
}

/** Who has to go, and why: its caller's share is used up, or the server is full. */
export interface GivesWay<Connection> {
  readonly connection: Connection;
  readonly reason: "share" | "full";
}

interface Entry<Connection> {
  readonly connection: Connection;
  readonly caller: Caller;
}

/** A symbol for a connection that counts by itself. */
type Caller = string | symbol;

/**
 * Which connections a server keeps. One that carries a player is never closed for another. When there are too many of the others,
 * the oldest one gives way, of the caller that holds most: a connection that somebody waits on is younger than those that are held.
 * No I/O.
 */
export class ConnectionTable<Connection extends TableConnection> {
  readonly #options: ConnectionTableOptions<Connection>;
  readonly #entries = new Map<Connection, Entry<Connection>>();
  /** Those without a seat, by caller. */
  readonly #unseated = new Map<Caller, Set<Entry<Connection>>>();
  readonly #seated = new Set<Entry<Connection>>();

  constructor(options: ConnectionTableOptions<Connection>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get seated(): number {
    return this.#seated.size;
  }

  /**
   * Takes a connection in.
   * @param caller who shares its limit; undefined for a connection that counts by itself
   * @returns who has to be closed in its place, or itself. It is out of the table already.
   */
  add(connection: Connection, caller: string | undefined): GivesWay<Connection> | undefined {
    const key: Caller = caller ?? Symbol("by itself");
    const way = this.#makeWay(key);
    if (way === "none") return { connection, reason: "full" };
    const entry = { connection, caller: key };
    this.#entries.set(connection, entry);
    this.#join(entry);
    return way;
  }

  remove(connection: Connection): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return;
    this.#entries.delete(connection);
    this.#seated.delete(entry);
    this.#part(entry);
  }

  /** Looks who has taken a seat, and who has lost it. */
  settle(): void {
    const { stateOf } = this.#options;
    for (const entry of this.#seated) {
      if (stateOf(entry.connection) === "seated") continue;
      this.#seated.delete(entry);
      this.#join(entry);
    }
    for (const group of this.#unseated.values()) this.#settleGroup(group);
  }

  get #unseatedCount(): number {
    return this.#entries.size - this.#seated.size;
  }

  get #isFull(): boolean {
    const { total, unseated } = this.#options;
    return this.#entries.size >= total || this.#unseatedCount >= unseated;
  }

  #makeWay(caller: Caller): GivesWay<Connection> | "none" | undefined {
    const { perCaller } = this.#options;
    const own = this.#unseated.get(caller);
    if (own !== undefined && own.size >= perCaller) {
      this.#settleGroup(own);
      const oldest = own.size >= perCaller ? this.#oldestOf(own) : undefined;
      if (oldest !== undefined) return this.#drop(oldest, "share");
    }
    if (!this.#isFull) return undefined;
    this.settle();
    if (!this.#isFull) return undefined;
    const oldest = this.#oldestOfHeaviest();
    return oldest === undefined ? "none" : this.#drop(oldest, "full");
  }

  #oldestOfHeaviest(): Entry<Connection> | undefined {
    let weight = 1;
    for (const { size } of this.#unseated.values()) weight = Math.max(weight, size);
    let found: Entry<Connection> | undefined;
    for (const group of this.#unseated.values()) {
      if (group.size === weight) found = this.#first(found, this.#oldestOf(group));
    }
    return found;
  }

  #oldestOf(group: Iterable<Entry<Connection>>): Entry<Connection> | undefined {
    let found: Entry<Connection> | undefined;
    for (const entry of group) found = this.#first(found, entry);
    return found;
  }

  /** Which of two gives way first: the one on which nobody waits for an answer, then the older one. */
  #first(one: Entry<Connection> | undefined, other: Entry<Connection> | undefined): Entry<Connection> | undefined {
    if (one === undefined || other === undefined) return one ?? other;
    const [isServed, isOtherServed] = [this.#isServed(one), this.#isServed(other)];
    if (isServed !== isOtherServed) return isServed ? other : one;
    return other.connection.since < one.connection.since ? other : one;
  }

  #isServed({ connection }: Entry<Connection>): boolean {
    return this.#options.stateOf(connection) === "served";
  }

  #settleGroup(group: ReadonlySet<Entry<Connection>>): void {
    for (const entry of group) {
      if (this.#options.stateOf(entry.connection) !== "seated") continue;
      this.#part(entry);
      this.#seated.add(entry);
    }
  }

  #drop({ connection }: Entry<Connection>, reason: GivesWay<Connection>["reason"]): GivesWay<Connection> {
    this.remove(connection);
    return { connection, reason };
  }

  #join(entry: Entry<Connection>): void {
    const group = this.#unseated.get(entry.caller);
    if (group) group.add(entry);
    else this.#unseated.set(entry.caller, new Set([entry]));
  }

  #part(entry: Entry<Connection>): void {
    const group = this.#unseated.get(entry.caller);
    group?.delete(entry);
    if (group?.size === 0) this.#unseated.delete(entry.caller);
  }
}
