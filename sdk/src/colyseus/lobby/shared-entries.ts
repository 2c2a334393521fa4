/** What the processes of one lobby tell each other, through the presence that Colyseus gives them all (Redis). */
import { LocalPresence, matchMaker, type Presence } from "@colyseus/core";

const PREFIX = "sallyport:lobby:";
/** What a process has told lapses after this, s, unless it says so again: a process can die without a word. Redis counts. */
const LEASE_S = 90;
const RENEW_MS = 30_000;

/** Undefined where this process is the whole lobby. */
export function sharedPresence(): Presence | undefined {
  const presence = matchMaker.presence as Presence | undefined;
  return presence instanceof LocalPresence ? undefined : presence;
}

/** Of what Redis cannot answer, this process alone decides. */
export async function orUndefined<T>(asked: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await asked;
  } catch {
    return undefined;
  }
}

/**
 * Named maps of text, of which each process writes its own fields and reads all. A field holds as long as its process does, which
 * Redis' own clock judges: the machines' clocks may differ by hours.
 */
export class SharedEntries {
  readonly #own = new Map<string, Map<string, string>>();
  #timer: NodeJS.Timeout | undefined;

  /** The fields that this process has written. */
  own(name: string): ReadonlyMap<string, string> {
    return this.#own.get(name) ?? new Map();
  }

  /** Writes a field, and keeps it written until it is deleted. Here it is to be read at once, elsewhere when this resolves. */
  async set(name: string, field: string, value: string): Promise<void> {
    const fields = this.#own.get(name);
    if (fields === undefined) this.#own.set(name, new Map([[field, value]]));
    else fields.set(field, value);
    await this.#publish(name, field, value);
  }

  async delete(name: string, field: string): Promise<void> {
    const fields = this.#own.get(name);
    fields?.delete(field);
    if (fields?.size === 0) this.#own.delete(name);
    const presence = sharedPresence();
    const written = await orUndefined(presence?.hget(PREFIX + name, field));
    // Another process may have taken it over.
    if (written?.startsWith(`${matchMaker.processId} `)) await orUndefined(presence?.hdel(PREFIX + name, field));
  }

  /** The fields of all processes. */
  async read(name: string): Promise<ReadonlyMap<string, string>> {
    const told = await orUndefined(sharedPresence()?.hgetall(PREFIX + name));
    if (told === undefined) return this.own(name);
    const written = Object.entries(told).map(([field, text]) => [field, ...splitOnce(text)] as const);
    const alive = await livingOf(new Set(written.map(([, processId]) => processId)));
    const fields = new Map<string, string>();
    for (const [field, processId, value] of written) if (alive.has(processId)) fields.set(field, value);
    for (const [field, value] of this.own(name)) fields.set(field, value);
    return fields;
  }

  async #publish(name: string, field: string, value: string): Promise<void> {
    const presence = sharedPresence();
    if (presence === undefined) return;
    this.#renew();
    const { processId } = matchMaker;
    await orUndefined(Promise.resolve(presence.setex(aliveKey(processId), "1", LEASE_S)));
    await orUndefined(presence.hset(PREFIX + name, field, `${processId} ${value}`));
    await orUndefined(Promise.resolve(presence.expire(PREFIX + name, LEASE_S)));
  }

  #renew(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      if (this.#own.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      for (const [name, fields] of this.#own) {
        for (const [field, value] of fields) void this.#publish(name, field, value);
      }
    }, RENEW_MS);
    this.#timer.unref();
  }
}

const aliveKey = (processId: string): string => `${PREFIX}alive:${processId}`;

/** Those of the processes that have said within the lease that they are there. What Redis does not answer counts as there. */
async function livingOf(processIds: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const asked = Array.from(processIds, async (processId) => {
    const isAlive = await orUndefined(sharedPresence()?.exists(aliveKey(processId)));
    return isAlive === false ? undefined : processId;
  });
  return new Set((await Promise.all(asked)).filter((processId) => processId !== undefined));
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(" ");
  return [text.slice(0, at), text.slice(at + 1)];
}

/**
 * Sums that are forgotten when their window of time is over. A process whose wall clock is off, or is stepped, counts in a window of
 * its own: what is granted grows by as much, and nothing is refused.
 */
export class SharedWindow {
  readonly #name: string;
  readonly #seconds: number;
  #expiring = "";

  /** @param seconds how long a window is; the next one begins with nothing */
  constructor(name: string, seconds: number) {
    this.#name = name;
    this.#seconds = Math.max(1, Math.ceil(seconds));
  }

  /** What all processes have added under this key, with this; undefined where this process is the whole lobby. */
  async add(key: string, amount: number): Promise<number | undefined> {
    const presence = sharedPresence();
    if (presence === undefined) return undefined;
    const window = this.#window();
    const sum = await orUndefined(presence.hincrby(window, key, amount));
    if (window !== this.#expiring) {
      this.#expiring = window;
      await orUndefined(Promise.resolve(presence.expire(window, 2 * this.#seconds)));
    }
    return sum;
  }

  async read(key: string): Promise<number | undefined> {
    const presence = sharedPresence();
    if (presence === undefined) return undefined;
    return Number((await orUndefined(presence.hget(this.#window(), key))) ?? 0);
  }

  #window(): string {
    return `${PREFIX}${this.#name}:${Math.floor(Date.now() / (this.#seconds * 1000))}`;
  }
}
