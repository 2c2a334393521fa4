/** A server that is asked too much says when to ask again: a player who does gets in. Nothing here is Node's. */
import { traceOf } from "../../net/trace.ts";
import { sleep, whileAwaited } from "../../net/wait.ts";

const trace = traceOf("colyseus");

/** A seat is kept for 15 s, and what follows takes time too. */
export const PATIENCE_MS = 12_000;
/** All who were told the same come back over so much of the time. */
const SPREAD = 0.5;
const MATCHMAKING = "/matchmake/";

/** The server asks us to come back (`Retry-After`, RFC 9110 section 10.2.3). */
export class ToldToWait extends Error {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** What an answer asks us to wait, ms; undefined where it does not, or not in seconds. */
export function retryAfterMsOf(status: number, retryAfter: string | null | undefined): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  return retryAfter && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
}

export interface PatienceOptions {
  signal?: AbortSignal | undefined;
  /** Called before each wait. */
  onWait?: (told: ToldToWait) => void;
  /** For all waits together. Default 12 000 ms. */
  patienceMs?: number;
}

/**
 * Asks, and again after each {@link ToldToWait} that it throws.
 * @throws what `ask` throws, ToldToWait too, when its time would go beyond ours
 */
export async function askPatiently<T>(
  ask: () => Promise<T>,
  { signal, onWait, patienceMs = PATIENCE_MS }: PatienceOptions = {},
): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ToldToWait) || performance.now() + error.retryAfterMs > until) throw error;
      const ms = Math.min(error.retryAfterMs * (1 + SPREAD * Math.random()), until - performance.now());
      if (trace.on) trace.event("told-to-wait", { reason: error.message, ms });
      onWait?.(error);
      await whileAwaited(sleep(ms, signal));
      signal?.throwIfAborted();
    }
  }
}

/** As `fetch`, but a request for a seat is asked again where the matchmaker says when. */
export function patientFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (init?.method !== "POST" || !url.includes(MATCHMAKING)) return await fetch(input, init);
    let last: Response | undefined;
    try {
      return await askPatiently(
        async () => {
          const response = await fetch(input, init);
          const ms = retryAfterMsOf(response.status, response.headers.get("retry-after"));
          if (ms === undefined) return response;
          last = response;
          throw new ToldToWait(`HTTP status ${response.status}`, ms);
        },
        { signal: init.signal ?? undefined, onWait: () => void last?.body?.cancel() },
      );
    } catch (error) {
      if (error instanceof ToldToWait && last) return last;
      throw error;
    }
  };
}
