import { formatEndpoint } from "../../net/endpoint.ts";
import { traceOf } from "../../net/trace.ts";
import { isSameReachability, type Reachability, type Step } from "../reachability.ts";
import { assess, type Findings } from "../verdict.ts";

const trace = traceOf("connectivity");

export interface ReportHandler {
  /** What all rungs know now. */
  findings(): Omit<Findings, "steps">;
  /** A step ended, or ended differently than before. */
  step(step: Step): void;
  /** The verdict, an endpoint or a reason is different. */
  change(reachability: Reachability): void;
}

/** What is known of the way in: the last outcome of each step and the rungs' findings, judged. */
export class Report {
  readonly #handler: ReportHandler;
  readonly #signal: AbortSignal;
  readonly #steps: Map<string, Step> = new Map();
  #reachability: Reachability | undefined;
  /** What the trace said last. */
  #traced = "";

  /** @param signal after which nothing changes any more */
  constructor(signal: AbortSignal, handler: ReportHandler) {
    this.#signal = signal;
    this.#handler = handler;
  }

  get reachability(): Reachability {
    this.#reachability ??= this.#assess();
    return this.#reachability;
  }

  step(step: Step): void {
    const previous = this.#steps.get(step.step);
    this.#steps.set(step.step, step);
    if (previous?.outcome === step.outcome && previous.reason === step.reason) return;
    if (trace.on) trace.event("step", { ...step });
    this.#handler.step(step);
    this.update();
  }

  /** Judges again. */
  update(): void {
    if (this.#signal.aborted) return;
    const before = this.#reachability;
    this.#reachability = this.#assess();
    if (before && isSameReachability(before, this.#reachability)) return;
    if (trace.on) this.#trace(this.#reachability, before);
    this.#handler.change(this.#reachability);
  }

  /** What decides whether a stranger gets in; the reasons have been traced as steps. */
  #trace({ verdict, endpoints }: Reachability, before: Reachability | undefined): void {
    const list = endpoints.map(({ kind, protocol, via, verified, ...at }) => {
      const proven = verified ? " verified" : "";
      return `${kind} ${formatEndpoint(at)} ${protocol} via ${via}${proven}`;
    });
    const news = JSON.stringify([verdict, list]);
    if (news === this.#traced) return;
    this.#traced = news;
    const { localPort } = this.#handler.findings();
    const was = before?.verdict === verdict ? undefined : before?.verdict;
    trace.event("verdict", { verdict, was, localPort, endpoints: list });
  }

  #assess(): Reachability {
    return assess({ ...this.#handler.findings(), steps: [...this.#steps.values()] });
  }
}
