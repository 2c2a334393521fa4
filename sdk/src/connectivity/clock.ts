import { type Clock } from "../net/clock.ts";
import { sleep, whileAwaited } from "../net/wait.ts";

/**
 * Calls `work` every `ms` until the signal aborts, or until the returned function is called. A call that throws does not end it.
 * Never keeps the process alive.
 */
export function every(clock: Clock, ms: number, signal: AbortSignal, work: () => void): () => void {
  let cancel = (): void => undefined;
  if (signal.aborted) return cancel;
  const tick = (): void => {
    cancel = clock.after(ms, tick);
    work();
  };
  cancel = clock.after(ms, tick);
  const stop = (): void => {
    cancel();
    signal.removeEventListener("abort", stop);
  };
  signal.addEventListener("abort", stop, { once: true });
  return stop;
}

/** Whole milliseconds since it was started. */
export function stopwatch(clock: Clock): () => number {
  const began = clock.now();
  return () => Math.round(clock.now() - began);
}

/** Resolves when the work has ended, well or not, or after `ms`. Keeps the process alive meanwhile. */
export async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await whileAwaited(Promise.race([work.catch(() => {}), sleep(ms, over.signal, clock)]));
  over.abort();
}
