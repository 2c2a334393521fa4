/** The sockets of all rounds, and of the ways that came of them. */
export const MAX_GUESSING_SOCKETS = 256;

/** What guessing ports may cost a process: one round at a time, and so many sockets, whoever the peers are. Sans I/O. */
export class GuessingLimits {
  #running = false;
  #sockets = 0;

  /** Whether a round is on. */
  get busy(): boolean {
    return this.#running;
  }

  get sockets(): number {
    return this.#sockets;
  }

  /** Begins a round; false while there is one. */
  begin(): boolean {
    if (this.#running) return false;
    this.#running = true;
    return true;
  }

  end(): void {
    this.#running = false;
  }

  /** Whether one more socket may be opened; if so, it is counted until {@link releaseSocket}. */
  takeSocket(): boolean {
    if (this.#sockets >= MAX_GUESSING_SOCKETS) return false;
    this.#sockets++;
    return true;
  }

  releaseSocket(): void {
    this.#sockets--;
  }
}

/** This process's, where none are handed in. */
export const PROCESS_GUESSING: GuessingLimits = new GuessingLimits();
