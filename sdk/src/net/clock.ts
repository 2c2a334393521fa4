/** Time as protocols see it; handed in, so that tests own it. */
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
    const timer: NodeJS.Timeout | number = setTimeout(callback, ms);
    // A number in pages.
    if (typeof timer === "object") timer.unref();
    return () => clearTimeout(timer);
  },
};
