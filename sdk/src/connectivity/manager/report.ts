import { isSameReachability, type Reachability, type Step } from "../reachability.ts";
import { assess, type Findings } from "../verdict.ts";

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
    this.#handler.step(step);
    this.update();
  }

  /** Judges again. */
  update(): void {
    if (this.#signal.aborted) return;
    const before = this.#reachability;
    this.#reachability = this.#assess();
    if (!before || !isSameReachability(before, this.#reachability)) this.#handler.change(this.#reachability);
  }

  #assess(): Reachability {
    return assess({ ...this.#handler.findings(), steps: [...this.#steps.values()] });
  }
}
