import { ENDING_SIGNALS, exitCodeOf, SignalEchoes } from "../gateway/signals.ts";

/** Aborted by the first signal that would end the process; another one, that is no echo of it, ends it at once. */
export class Interruption implements Disposable {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #echoes = new SignalEchoes();
  readonly #listener: (name: NodeJS.Signals) => void;

  constructor() {
    this.signal = this.#controller.signal;
    this.#listener = (name) => {
      if (this.#echoes.isEcho()) return;
      // A closed terminal sends it more than once, and nobody waits there.
      if (this.signal.aborted && name !== "SIGHUP") process.exit(exitCodeOf(name));
      this.#controller.abort(name);
    };
    for (const name of ENDING_SIGNALS) process.on(name, this.#listener);
  }

  /** Resolves when one of them came; keeps the process alive until then. */
  async wait(): Promise<void> {
    if (this.signal.aborted) return;
    const hold = setInterval(() => undefined, 0x7fff_ffff);
    await new Promise<void>((resolve) => this.signal.addEventListener("abort", () => resolve(), { once: true }));
    clearInterval(hold);
  }

  [Symbol.dispose](): void {
    for (const name of ENDING_SIGNALS) process.off(name, this.#listener);
  }
}
