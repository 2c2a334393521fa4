/** Work of which only so much is done at a time, and only so much waits: what comes beyond is refused at once. */
export class WorkQueue {
  readonly #running: number;
  readonly #waiting: number;
  #active = 0;
  readonly #queue: (() => void)[] = [];

  constructor(limits: { running: number; waiting: number }) {
    this.#running = limits.running;
    this.#waiting = limits.waiting;
  }

  /** Its outcome, once its turn has come; undefined when the queue is full. */
  run<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#active >= this.#running && this.#queue.length >= this.#waiting) return undefined;
    return this.#turn()
      .then(work)
      .finally(() => this.#next());
  }

  async #turn(): Promise<void> {
    if (this.#active < this.#running) this.#active++;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  /** Hands the place on. */
  #next(): void {
    const waiting = this.#queue.shift();
    if (waiting === undefined) this.#active--;
    else waiting();
  }
}
