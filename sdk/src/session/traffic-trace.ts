import type { Endpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import type { SessionStats } from "./types.ts";

const trace = traceOf("session");
const INTERVAL_MS = 1000;
/** What is no news: a share of what it was, and ms. */
const SAME_SHARE = 1 / 4;
const SAME_RTT_MS = 10;

/** A session's losses, window and round trip as lines of a trace: once a second, and only when they have changed. */
export class TrafficTrace {
  #lookedAt = Number.NEGATIVE_INFINITY;
  #lost = 0;
  #rttMs = 0;
  #window = 0;

  /** Cheap enough for each flush: the session is asked once a second. */
  look(now: number, session: { readonly remote: Endpoint; readonly stats: SessionStats }): void {
    if (now - this.#lookedAt < INTERVAL_MS) return;
    this.#lookedAt = now;
    const { rttMs, jitterMs, loss, packetsLost, congestionWindow, bytesInFlight, bufferedBytes } = session.stats;
    const isSame =
      packetsLost === this.#lost &&
      Math.abs(rttMs - this.#rttMs) <= Math.max(SAME_RTT_MS, SAME_SHARE * this.#rttMs) &&
      Math.abs(congestionWindow - this.#window) <= SAME_SHARE * this.#window;
    if (isSame) return;
    const lost = packetsLost - this.#lost;
    this.#lost = packetsLost;
    this.#rttMs = rttMs;
    this.#window = congestionWindow;
    const queue = { window: congestionWindow, inFlight: bytesInFlight, buffered: bufferedBytes };
    trace.event("traffic", { remote: session.remote, rttMs, jitterMs, loss, lost, ...queue });
  }
}
