/** Time as the gateway protocols see it; handed in, so that tests own it. */
export interface Clock {
  /** Monotonic milliseconds. Stands still while the machine sleeps on some systems. */
  now(): number;
  /** `Date.now()`: goes on while the machine sleeps. */
  unixNow(): number;
  /** Calls back once; gives the function that takes the call back. Never keeps the process alive. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  unixNow: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or at once when the signal is aborted: who waits looks at the signal. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
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

/** Keeps the process alive while something is waited for that a caller awaits: all timers and sockets here do not. */
export async function whileAwaited<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, 0x7fff_ffff);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}
