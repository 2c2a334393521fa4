import type { Caller } from "./caller.ts";

/** How many of something each caller holds, and each network around it. */
export class CallerCounts {
  readonly #counts = new Map<string, number>();

  add(caller: Caller): void {
    for (const key of keysOf(caller)) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  remove(caller: Caller): void {
    for (const key of keysOf(caller)) {
      const left = (this.#counts.get(key) ?? 0) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    }
  }

  /** Whether the caller, or a network around it, holds as many as it may. */
  isFull({ networks }: Caller, limit: number): boolean {
    return networks.some(({ key, weight }) => (this.#counts.get(key) ?? 0) >= Math.max(1, limit * weight));
  }

  /** Of the caller alone. */
  of({ networks }: Caller): number {
    return this.#counts.get(networks[0]?.key ?? "") ?? 0;
  }

  /** Of the widest network around the caller. */
  ofSite({ site }: Caller): number {
    return this.#counts.get(site) ?? 0;
  }
}

function keysOf({ networks, site }: Caller): Set<string> {
  return new Set([...networks.map(({ key }) => key), site]);
}
