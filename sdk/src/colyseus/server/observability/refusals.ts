import type { TransportMetrics } from "./metrics.ts";

/** Counts what a transport refused since the start, for its metrics. */
export class Refusals {
  readonly #counts: TransportMetrics["refusals"] = { connections: {}, requests: {}, tokens: {} };

  add(what: keyof TransportMetrics["refusals"], reason: string | number): void {
    const counts = this.#counts[what];
    counts[reason] = (counts[reason] ?? 0) + 1;
  }

  /** A copy. */
  get counts(): TransportMetrics["refusals"] {
    return structuredClone(this.#counts);
  }
}
