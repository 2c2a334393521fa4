import type { JoinProgress } from "./path.ts";

export interface JoinSettings {
  /** Gives the join up. Without effect once the room is joined: call `room.leave()`. */
  signal?: AbortSignal;
  /** How far the join has come. */
  onProgress?: (progress: JoinProgress) => void;
}

/** Rejects with the signal's reason as soon as it is aborted, whatever becomes of the work. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}
