/** Which of a host's endpoints answers: all of them are asked, the better ones first. */

import { certificateDates } from "../../net/certificate-dates.ts";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import { RendezvousError } from "../../rendezvous/wire/errors.ts";
import { unreachableAdvice } from "./unreachable-advice.ts";

const trace = traceOf("colyseus");

/** Options of `firstReachable`. */
export interface ReachOptions {
  /** Gives up. */
  signal?: AbortSignal | undefined;
  /** How long a better endpoint has before the next one is asked as well, ms (RFC 8305 section 5). Default 250. */
  staggerMs?: number;
  /** For all together, ms. Default 5000. */
  timeoutMs?: number;
  /** How endpoints are asked. Default: the global one. */
  fetch?: typeof globalThis.fetch;
}

/** Colyseus answers this on every server. */
const PROBE_PATH = "/__healthcheck";

/**
 * The first of the endpoints that answers as a Colyseus server. One that leads nowhere costs 250 ms, and nothing is reserved on
 * those that were asked in vain.
 * @throws RendezvousError `unreachable`, `aborted`
 */
export async function firstReachable(endpoints: readonly string[], options: ReachOptions = {}): Promise<string> {
  const { staggerMs = 250, timeoutMs = 5000, fetch = globalThis.fetch } = options;
  const found = new AbortController();
  const over = AbortSignal.any([
    found.signal,
    AbortSignal.timeout(timeoutMs),
    ...(options.signal === undefined ? [] : [options.signal]),
  ]);
  const failures: string[] = [];
  const reasons = new Set<string>();
  const ask = async (endpoint: string, rank: number, previous: Promise<unknown>): Promise<string> => {
    await Promise.race([sleep(rank * staggerMs, over), previous]);
    over.throwIfAborted();
    const response = await fetch(endpoint + PROBE_PATH, { signal: over, redirect: "error" });
    await response.body?.cancel();
    if (trace.on) trace.event("endpoint-answered", { endpoint: new URL(endpoint), status: response.status });
    if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
    return endpoint;
  };
  // One that fails at once gives its turn to the next.
  let failed: Promise<unknown> = Promise.resolve();
  const asked = endpoints.map((endpoint, rank) => {
    const answer = ask(endpoint, rank, failed);
    const { promise, resolve } = Promise.withResolvers<void>();
    answer.catch((error: unknown) => {
      if (trace.on && !found.signal.aborted) {
        const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
        trace.event("endpoint-failed", { endpoint: url, reason: reasonOf(error) });
      }
      reasons.add(reasonOf(error));
      failures.push(`${endpoint} (${reasonOf(error)})`);
      resolve();
    });
    failed = promise;
    return answer;
  });
  try {
    return await Promise.any(asked);
  } catch (error) {
    if (options.signal?.aborted === true) {
      throw new RendezvousError("aborted", "Given up by the caller.", { cause: options.signal.reason });
    }
    const tried = failures.length === 0 ? "it has no address yet" : failures.join(", ");
    // Where all failed alike.
    const advice = reasons.size === 1 ? unreachableAdvice([...reasons][0]) : "";
    throw new RendezvousError("unreachable", `The host does not answer: ${tried}.${advice}`, {
      cause: error,
    });
  } finally {
    found.abort();
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException) return "no answer";
  const dates = certificateDates(error);
  if (dates !== undefined) return dates;
  const cause = (error as { cause?: { code?: unknown } } | null)?.cause;
  if (typeof cause?.code === "string") return cause.code;
  return messageOf(error);
}
