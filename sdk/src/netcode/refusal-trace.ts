import { traceOf } from "../net/trace.ts";
import type { NetcodeServerCounters } from "./counters.ts";

const trace = traceOf("netcode");
/** Of one reason. A stranger may have as many datagrams refused as it likes. */
const LINES_PER_SECOND = 3;

/** What strangers cause, by its counter. */
const COUNTED: readonly (keyof NetcodeServerCounters)[] = [
  "refusedSize",
  "refusedNoKey",
  "refusedType",
  "refusedReplay",
  "refusedForged",
  "refusedBody",
  "requestMalformed",
  "requestExpired",
  "requestPredatesStart",
  "requestForged",
  "requestOtherServer",
  "requestConnected",
  "requestTokenUsed",
  "requestOverload",
  "responseForged",
  "responseConnected",
  "denied",
  "challenged",
];

/** A server's counters as lines of a trace, each with how much was counted since the line before. */
export class RefusalTrace {
  readonly #told: Map<string, { count: number; dueAt: number }> = new Map();

  /** To be called after a datagram, with whence it came, and now and then for what had no line yet. */
  tell(counters: NetcodeServerCounters, now: number, from?: { address: string; port: number }): void {
    for (const name of COUNTED) {
      let told = this.#told.get(name);
      if (told === undefined) this.#told.set(name, (told = { count: 0, dueAt: Number.NEGATIVE_INFINITY }));
      const count = counters[name] - told.count;
      if (count === 0 || now < told.dueAt) continue;
      told.count = counters[name];
      told.dueAt = now + 1000 / LINES_PER_SECOND;
      if (name === "challenged") trace.event(name, { from, count });
      else trace.event("refused", { reason: name, from, count });
    }
  }
}
