import type { EventEmitter } from "node:events";
import type { Clock } from "../../net/clock.ts";
import type { Reachability } from "../reachability.ts";
import { isDialable } from "../verdict.ts";

/** The manager, as far as it is waited for. */
interface Source extends Pick<EventEmitter<{ change: [reachability: Reachability] }>, "on" | "off"> {
  readonly reachability: Reachability;
}

export interface FirstUsableOptions {
  readonly clock: Clock;
  /** Milliseconds after which there is no more waiting. */
  readonly timeoutMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/** Resolves on the first endpoint that a stranger can dial, when `opened` has ended, or after `timeoutMs`. Never rejects. */
export function firstUsable(
  source: Source,
  opened: Promise<unknown>,
  { clock, timeoutMs, signal }: FirstUsableOptions,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      source.off("change", check);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const check = (): void => {
      const { endpoints, nat } = source.reachability;
      if (endpoints.some((endpoint) => endpoint.protocol === "udp" && isDialable(endpoint, nat))) done();
    };
    const cancel = clock.after(timeoutMs, done);
    source.on("change", check);
    signal.addEventListener("abort", done, { once: true });
    void opened.then(done, done);
    check();
  });
}
