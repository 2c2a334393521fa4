import { constants } from "node:os";

/**
 * Signals that end a process where nobody listens, as far as this system has them: Ctrl-C, a service manager, a closed terminal,
 * Ctrl-Break on Windows, nodemon.
 */
export const ENDING_SIGNALS: readonly NodeJS.Signals[] = (
  ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGUSR2"] as const
).filter((name) => name in constants.signals);

/**
 * How long the copies of one Ctrl-C keep coming, ms. A terminal signals all programs in its foreground, and npm, `node --watch` and
 * `tsx watch` pass on to their child what it has had from the terminal already.
 */
export const ECHO_MS = 1000;

/** Tells a signal from its echoes: all that comes within {@link ECHO_MS} of the first is the same. */
export class SignalEchoes {
  #since: number = Number.NEGATIVE_INFINITY;

  /** To be called for each signal. Whether it is an echo of one before. */
  isEcho(): boolean {
    if (this.leftMs > 0) return true;
    this.#since = performance.now();
    return false;
  }

  /** How long echoes may still come, ms; 0 when none is expected. */
  get leftMs(): number {
    return Math.max(0, this.#since + ECHO_MS - performance.now());
  }
}

/** The exit code by which shells tell that a signal ended a process. */
export function exitCodeOf(name: NodeJS.Signals): number {
  return 128 + constants.signals[name];
}
