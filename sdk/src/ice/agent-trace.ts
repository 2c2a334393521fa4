import { formatEndpoint } from "../net/endpoint.ts";
import { type TraceInput, traceOf } from "../net/trace.ts";
import type { IceCandidate } from "./candidate.ts";
import type { CandidatePair } from "./pair.ts";
import type { IcePath, SelectionReason } from "./types.ts";

const trace = traceOf("ice");
let agents = 0;

/** One agent's lines of a trace. Its number tells peers apart; credentials do not come here. */
export class AgentTrace {
  readonly #peer: number = ++agents;

  get on(): boolean {
    return trace.on;
  }

  event(event: string, more: TraceInput = {}): void {
    trace.event(event, { peer: this.#peer, ...more });
  }

  candidate(event: string, candidate: IceCandidate, more: TraceInput = {}): void {
    const { type, priority } = candidate;
    this.event(event, { type, at: candidate, priority, ...more });
  }

  pair(event: string, { via, remote }: CandidatePair, more: TraceInput = {}): void {
    this.event(event, { via, remote, remoteType: remote.type, ...more });
  }

  /** Packets take this way from now on, or none. */
  path(pair: CandidatePair | null, why: SelectionReason, previous: IcePath | null): void {
    const was = previous && `${previous.kind} ${formatEndpoint(previous.remote)}`;
    if (pair === null) this.event("path-lost", { was });
    else {
      const { kind, localType, rttMs } = pair.path();
      this.pair("path", pair, { kind, localType, rttMs, why, was });
    }
  }
}
