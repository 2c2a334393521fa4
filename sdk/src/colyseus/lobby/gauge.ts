import { matchMaker } from "@colyseus/core";
import { orUndefined, SharedEntries } from "./shared-entries.ts";

/** How many there are of something, by name, in all processes of a lobby. */
export class Gauge {
  readonly #entries = new SharedEntries();

  /**
   * Adds one, unless there are as many as `limit` already. {@link remove} must follow when it is true.
   * @param name must not be what somebody else writes too
   */
  async add(name: string, limit: number): Promise<boolean> {
    const before = this.#own(name);
    if (before >= limit) return false;
    await this.#set(name, before + 1);
    const counts = await this.#entries.read(name);
    if (sumOf(counts) <= limit) return true;
    // What a process had that is known to be dead is on its way here.
    const alive = new Set((await orUndefined(matchMaker.stats.fetchAll()))?.map(({ processId }) => processId));
    if (sumOf(counts, (processId) => alive.has(processId)) <= limit) return true;
    this.remove(name);
    return false;
  }

  remove(name: string): void {
    void this.#set(name, this.#own(name) - 1);
  }

  #own(name: string): number {
    return Number(this.#entries.own(name).get(matchMaker.processId) ?? 0);
  }

  async #set(name: string, count: number): Promise<void> {
    if (count > 0) await this.#entries.set(name, matchMaker.processId, String(count));
    else await this.#entries.delete(name, matchMaker.processId);
  }
}

function sumOf(counts: ReadonlyMap<string, string>, isMeant: (processId: string) => boolean = () => true): number {
  let sum = 0;
  for (const [processId, count] of counts) if (isMeant(processId)) sum += Number(count);
  return sum;
}
