/** What a transport refused since the start. */
export interface RefusalCounts {
  /** TCP connections that were closed to keep within limits, by reason. */
  connections: Record<string, number>;
  /** Requests that did not get as far as Colyseus, by HTTP status. */
  requests: Record<string, number>;
  /** Connect tokens that were not given, by HTTP status. */
  tokens: Record<string, number>;
}

/** Counts what a transport refused since the start, for its metrics. */
export class Refusals {
  readonly #counts: RefusalCounts = { connections: {}, requests: {}, tokens: {} };

  add(what: keyof RefusalCounts, reason: string | number): void {
    const counts = this.#counts[what];
    counts[reason] = (counts[reason] ?? 0) + 1;
  }

  /** A copy. */
  get counts(): RefusalCounts {
    return structuredClone(this.#counts);
  }
}
