/** The name by which a page has dialed: it cannot ask which address that has, and behind a NAT we do not know it either. */
import { lookup } from "node:dns/promises";
import { isHostName } from "../../../connectivity/announced.ts";
import { addressScope } from "../../../net/scope.ts";
import { TokenBucket } from "../../../net/token-bucket.ts";
import { sleep } from "../../../net/wait.ts";

/** A player waits for no longer, ms; what comes later serves the next one. */
const PATIENCE_MS = 1000;
/** How long an answer is good, ms. */
const KEPT_MS = 60_000;
const MAX_KEPT = 64;
/** Each look-up may hold one of the four threads that also read files, for as long as a stranger's name server likes. */
const MAX_RUNNING = 2;
/** Whoever has a seat can have us ask for any name. */
const LOOKUPS = { burst: 16, perSecond: 1 } as const;
const MAX_ADDRESSES = 4;

interface Kept {
  addresses: Promise<readonly string[]>;
  until: number;
}

export interface DialedNamesParts {
  lookUp?: (name: string) => Promise<readonly { address: string }[]>;
  now?: () => number;
}

/** Looks up names that players say they have dialed, which may be any: bounded, and nothing of our own network is told outside of it. */
export class DialedNames {
  readonly #lookUp: NonNullable<DialedNamesParts["lookUp"]>;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  readonly #bucket = new TokenBucket(LOOKUPS.burst, LOOKUPS.perSecond);
  #running = 0;

  constructor({ lookUp, now }: DialedNamesParts = {}) {
    this.#lookUp = lookUp ?? ((name) => lookup(name, { all: true, order: "ipv4first" }));
    this.#now = now ?? (() => performance.now());
  }

  /**
   * @param asker the address that asks: private addresses are told to private ones alone, since a name server here may know more than
   * those outside
   * @returns none for what is no name, for names without an address, and where that would take too long
   */
  async addresses(name: string, asker: string): Promise<readonly string[]> {
    const known = this.#keep(name.toLowerCase());
    if (known === undefined) return [];
    const over = new AbortController();
    const found = (await Promise.race([known, sleep(PATIENCE_MS, over.signal)])) ?? [];
    over.abort();
    const isNear = addressScope(asker) !== "public";
    return found.filter((address) => isNear || addressScope(address) === "public");
  }

  #keep(name: string): Promise<readonly string[]> | undefined {
    const now = this.#now();
    const known = this.#kept.get(name);
    if (known && now < known.until) return known.addresses;
    if (!isHostName(name) || this.#running >= MAX_RUNNING || !this.#bucket.take(now)) return undefined;
    this.#running++;
    const addresses = this.#lookUp(name)
      .then((found) => found.slice(0, MAX_ADDRESSES).map(({ address }) => address))
      .catch(() => [])
      .finally(() => this.#running--);
    this.#kept.delete(name);
    this.#kept.set(name, { addresses, until: now + KEPT_MS });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return addresses;
  }
}
