import { type Clock, systemClock } from "./clock.ts";

/** Resolves after `ms`, or at once when the signal is aborted: the caller looks at the signal. Never keeps the process alive. */
export function sleep(ms: number, signal?: AbortSignal, clock: Pick<Clock, "after"> = systemClock): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * What becomes of the work, or a rejection as soon as the signal is aborted; the work itself goes on.
 * @param errorOf makes the error from the signal's reason. Default: the reason itself
 */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  errorOf: (reason: unknown) => unknown = (reason) => reason,
): Promise<T> {
  if (!signal) return work;
  const ended = Promise.withResolvers<never>();
  const onAbort = (): void => ended.reject(errorOf(signal.reason));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, ended.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Keeps the process alive while a caller awaits the work: the timers and sockets here do not. */
export async function whileAwaited<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, 0x7fff_ffff);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}
