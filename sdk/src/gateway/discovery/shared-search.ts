import type { Discover, Finding, Gateway } from "../gateway.ts";

/** A search, its findings kept for everybody who joins late. */
export class SharedSearch implements AsyncDisposable {
  readonly findings: Finding[] = [];
  readonly settled: Promise<void>;
  isSettled = false;
  readonly #listeners = new Set<(finding: Finding) => void>();
  readonly #round: ReturnType<Discover>;

  constructor(discover: Discover, onGateway: (gateway: Gateway) => void) {
    this.#round = discover({
      onGateway,
      onFinding: (finding) => {
        this.findings.push(finding);
        for (const listener of this.#listeners) listener(finding);
      },
    });
    this.settled = this.#round.settled.then(() => {
      this.isSettled = true;
    });
  }

  subscribe(listener: (finding: Finding) => void): () => void {
    for (const finding of this.findings) listener(finding);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#round[Symbol.asyncDispose]();
  }
}
