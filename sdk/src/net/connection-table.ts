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
  /**
   * Most without a seat, but for those that came within `graceMs`: many may come at once, and ask a moment later. Connections that
   * count by themselves are not among them.
   */
  unseated: number;
  graceMs: number;
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
  /** Undefined for a connection that counts by itself. */
  readonly caller: string | undefined;
}

type Group<Connection> = Set<Entry<Connection>>;

/** Of callers with the same number of connections so many are looked at, those first that have been there longest. */
const MAX_ASKED = 64;

/**
 * Which connections a server keeps. One that carries a player is never closed for another. When there are too many of the others,
 * the oldest one gives way, of the caller that holds most: a connection that somebody waits on is younger than those that are held.
 * No I/O.
 */
export class ConnectionTable<Connection extends TableConnection> {
  readonly #options: ConnectionTableOptions<Connection>;
  readonly #entries = new Map<Connection, Entry<Connection>>();
  readonly #seated: Group<Connection> = new Set();
  /** Those without a seat, by caller. */
  readonly #unseated = new Map<string, Group<Connection>>();
  /** Those without a seat that count by themselves. */
  readonly #alone: Group<Connection> = new Set();
  /** How many of callers are without a seat. */
  #waiting = 0;
  /** Before this time nobody has waited for long enough to give way. */
  #allYoungUntil = Number.NEGATIVE_INFINITY;

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
    const way = this.#makeWay(caller, connection.since);
    if (way === "none") return { connection, reason: "full" };
    const entry = { connection, caller };
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
    for (const entry of this.#seated) {
      if (this.#options.stateOf(entry.connection) === "seated") continue;
      this.#seated.delete(entry);
      this.#join(entry);
    }
    for (const group of this.#unseated.values()) this.#oldestOf(group);
    this.#oldestOf(this.#alone);
  }

  /** Those who have to go since more wait than may: they were young when they came, or have lost their seat since. */
  shed(now: number): GivesWay<Connection>[] {
    const { unseated, graceMs } = this.#options;
    const gone = this.#shedShares();
    if (this.#waiting <= unseated) return gone;
    this.settle();
    const old: { entry: Entry<Connection>; weight: number }[] = [];
    for (const group of this.#unseated.values()) {
      for (const entry of group) {
        if (now - entry.connection.since >= graceMs) old.push({ entry, weight: group.size });
      }
    }
    old.sort((a, b) => b.weight - a.weight || (this.#first(a.entry, b.entry) === a.entry ? -1 : 1));
    const excess = Math.max(0, this.#waiting - unseated);
    return [...gone, ...old.slice(0, excess).map(({ entry }) => this.#drop(entry, "full"))];
  }

  /** Players who lose their seats come back under their caller's share, which others may have used up meanwhile. */
  #shedShares(): GivesWay<Connection>[] {
    const { perCaller } = this.#options;
    const gone: GivesWay<Connection>[] = [];
    for (const group of this.#unseated.values()) {
      while (group.size > perCaller) {
        const oldest = this.#oldestOf(group);
        if (oldest !== undefined && group.size > perCaller) gone.push(this.#drop(oldest, "share"));
      }
    }
    return gone;
  }

  #makeWay(caller: string | undefined, now: number): GivesWay<Connection> | "none" | undefined {
    const { total, unseated, perCaller, graceMs } = this.#options;
    const own = caller === undefined ? undefined : this.#unseated.get(caller);
    if (own !== undefined && own.size >= perCaller) {
      const oldest = this.#oldestOf(own);
      if (oldest !== undefined && own.size >= perCaller) return this.#drop(oldest, "share");
    }
    if (this.#entries.size >= total) {
      const oldest = this.#oldestOfHeaviest(true);
      return oldest === undefined ? "none" : this.#drop(oldest, "full");
    }
    if (caller === undefined || this.#waiting < unseated || now < this.#allYoungUntil) return undefined;
    const oldest = this.#oldestOfHeaviest(false);
    if (oldest === undefined || this.#waiting < unseated) return undefined;
    this.#allYoungUntil = oldest.connection.since + graceMs;
    return now < this.#allYoungUntil ? undefined : this.#drop(oldest, "full");
  }

  /** @param all also of those that count by themselves, each of which is a caller with one connection */
  #oldestOfHeaviest(all: boolean): Entry<Connection> | undefined {
    for (;;) {
      let weight = all && this.#alone.size > 0 ? 1 : 0;
      for (const { size } of this.#unseated.values()) weight = Math.max(weight, size);
      if (weight === 0) return undefined;
      let found = all && weight === 1 ? this.#oldestOf(this.#alone) : undefined;
      let asked = 0;
      for (const group of this.#unseated.values()) {
        if (group.size !== weight) continue;
        found = this.#first(found, this.#oldestOf(group));
        if (++asked === MAX_ASKED) break;
      }
      // Where all of them turn out to have seats, the next heaviest are asked.
      if (found !== undefined) return found;
    }
  }

  /** Who of a group gives way first. Moves those who have taken a seat out of it. */
  #oldestOf(group: Group<Connection>): Entry<Connection> | undefined {
    const { stateOf } = this.#options;
    let found: Entry<Connection> | undefined;
    for (const entry of group) {
      if (stateOf(entry.connection) === "seated") {
        this.#part(entry);
        this.#seated.add(entry);
      } else found = this.#first(found, entry);
    }
    return found;
  }

  /** The one on which nobody waits for an answer, then the older one. */
  #first(one: Entry<Connection> | undefined, other: Entry<Connection> | undefined): Entry<Connection> | undefined {
    if (one === undefined || other === undefined) return one ?? other;
    const { stateOf } = this.#options;
    const isServed = stateOf(one.connection) === "served";
    if (isServed !== (stateOf(other.connection) === "served")) return isServed ? other : one;
    return other.connection.since < one.connection.since ? other : one;
  }

  #drop({ connection }: Entry<Connection>, reason: GivesWay<Connection>["reason"]): GivesWay<Connection> {
    this.remove(connection);
    return { connection, reason };
  }

  #join(entry: Entry<Connection>): void {
    const { caller } = entry;
    if (caller === undefined) {
      this.#alone.add(entry);
      return;
    }
    this.#waiting++;
    const group = this.#unseated.get(caller);
    if (group) group.add(entry);
    else this.#unseated.set(caller, new Set([entry]));
  }

  #part(entry: Entry<Connection>): void {
    const { caller } = entry;
    if (caller === undefined) {
      this.#alone.delete(entry);
      return;
    }
    const group = this.#unseated.get(caller);
    if (!group?.delete(entry)) return;
    this.#waiting--;
    if (group.size === 0) this.#unseated.delete(caller);
  }
}
