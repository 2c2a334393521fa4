/** Aborted by the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
export class Interruption implements Disposable {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #listener: (name: NodeJS.Signals) => void;

  constructor() {
    this.signal = this.#controller.signal;
    this.#listener = (name) => {
      if (this.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143);
      this.#controller.abort(name);
    };
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  /** Resolves when one of them came; keeps the process alive until then. */
  async wait(): Promise<void> {
    if (this.signal.aborted) return;
    const hold = setInterval(() => undefined, 0x7fff_ffff);
    await new Promise<void>((resolve) => this.signal.addEventListener("abort", () => resolve(), { once: true }));
    clearInterval(hold);
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }
}

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
