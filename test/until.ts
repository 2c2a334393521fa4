import { setTimeout as sleep } from "node:timers/promises";

export interface UntilOptions {
  /** Told when it does not come to pass. Default: the condition's own text. */
  what?: string;
  /** Generous, since the machine may be busy: it bounds a failure, and no test waits for it. Default 30 000 ms. */
  timeoutMs?: number;
  /** Between two looks, ms. Default 2. */
  everyMs?: number;
}

/**
 * Waits for what tells of itself by no event, and answers the first value that is one: neither undefined, null nor false. All
 * tests' polling is here; where there is an event, a test waits for that.
 */
export async function until<T>(
  look: () => T | Promise<T>,
  { what = String(look), timeoutMs = 30_000, everyMs = 2 }: UntilOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) return seen as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadline) throw new Error(`It did not come to pass within ${timeoutMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
