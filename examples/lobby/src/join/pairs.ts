/** The ways that ICE tries, as the trace tells of them: for a person who asks why a join failed, or is relayed. */
import { listenToTrace, type TraceEvent } from "sallyport";

export interface TriedPair {
  /** Our socket, or the name of our relay. */
  via: string;
  remote: string;
  /** Of the address there: `host`, `mapped`, `reflexive`, `peer-reflexive`, `relayed`. */
  remoteType: string;
  outcome: "waiting" | "answered" | "failed";
  rttMs: number | null;
  /** Why packets took it, and not another that answers; null where they never did. */
  why: string | null;
}

export class PairWatch implements Disposable {
  readonly #pairs = new Map<string, TriedPair>();
  readonly [Symbol.dispose]: () => void = listenToTrace(["ice"], (event) => this.#onEvent(event));

  get pairs(): TriedPair[] {
    return [...this.#pairs.values()];
  }

  /** For a person; empty where ICE had nothing to try. */
  describe(): string[] {
    return this.pairs.map(({ via, remote, remoteType, outcome, rttMs, why }) => {
      const answer = outcome === "answered" ? `answered in ${rttMs} ms` : "no answer";
      return `Pair        ${via} to ${remote} (${remoteType}): ${answer}${why === null ? "" : `, taken (${why})`}`;
    });
  }

  #onEvent({ event, fields }: TraceEvent): void {
    const { peer, via, remote, remoteType } = fields;
    if (remote === undefined) return;
    const key = [peer, via, remote].join(" ");
    const pair: TriedPair = this.#pairs.get(key) ?? {
      via: String(via),
      remote: String(remote),
      remoteType: String(remoteType),
      outcome: "waiting",
      rttMs: null,
      why: null,
    };
    this.#pairs.set(key, pair);
    if (event === "pair-answered")
      Object.assign(pair, { outcome: "answered", rttMs: Math.round(Number(fields["rttMs"])) });
    else if (event === "pair-failed" || event === "consent-expired") pair.outcome = "failed";
    else if (event === "path") pair.why = String(fields["why"]);
  }
}
