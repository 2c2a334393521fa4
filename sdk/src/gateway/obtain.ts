import type { Clock } from "../net/clock.ts";
import { sleep } from "../net/wait.ts";
import type { Finding } from "./discovery.ts";
import { establishAt, giveBack, type Held, type LeaseKeeper } from "./establish.ts";
import { type Gateway, GatewayError } from "./gateway.ts";
import type { Gateways } from "./gateways.ts";
import type { FullRequest } from "./request.ts";
import type { Round } from "./round.ts";
import { describeSuccess, verdict } from "./verdict.ts";

/** A slow gateway is not waited for when another one could be asked. */
const HEDGE_AFTER = 1000;

/** What it takes to obtain a mapping. */
export interface Means {
  clock: Clock;
  keeper: LeaseKeeper;
  gateways: Gateways;
}

/** Asks every gateway there is, best first, and those that are still being found, until one grants it. @throws {Verdict} */
export async function obtain(
  { clock, keeper, gateways }: Means,
  request: FullRequest,
  signal: AbortSignal,
  report: (finding: Finding) => void,
  preferred?: number,
): Promise<Held> {
  const tried = new Set<Gateway>();
  const failures: GatewayError[] = [];
  const losers = new AbortController();
  const attempts = new Set<Promise<Held | undefined>>();
  const both = AbortSignal.any([signal, losers.signal]);
  const attempt = async (gateway: Gateway): Promise<Held | undefined> => {
    try {
      const held = await establishAt(gateway, request, keeper, both, preferred);
      report({ step: gateway.info.via, outcome: "ok", reason: describeSuccess(held) });
      return held;
    } catch (error) {
      if (both.aborted) return undefined;
      if (!(error instanceof GatewayError)) throw error;
      failures.push(error);
      if (error.kind === "unreachable") gateways.drop(gateway);
      const outcome = error.kind === "unreachable" ? "failed" : "refused";
      report({
        step: gateway.info.via,
        outcome,
        reason: `${gateway.info.name}: ${error.message}`,
        ...(error.code === undefined ? {} : { code: error.code }),
      });
      return undefined;
    }
  };
  let round: Round | undefined;
  let unsubscribe: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => both.addEventListener("abort", () => resolve(), { once: true }));
  const won: { held?: Held } = {};
  try {
    while (won.held === undefined) {
      signal.throwIfAborted();
      const next = gateways.best(tried, request.family);
      if (next) {
        tried.add(next);
        const running: Promise<Held | undefined> = attempt(next).then((held) => {
          attempts.delete(running);
          if (held && !won.held) won.held = held;
          else if (held) void Promise.all(held.leases.map((lease) => giveBack(held.gateway, lease, keeper)));
          return held;
        });
        attempts.add(running);
        // Nothing is waited for when this one is slow.
        await Promise.race([running, sleep(HEDGE_AFTER, both, clock)]);
        continue;
      }
      if (round === undefined) {
        round = gateways.search();
        unsubscribe = round.subscribe(report);
      }
      if (round.isSettled && attempts.size === 0 && !gateways.best(tried, request.family)) break;
      await Promise.race([aborted, gateways.arrival, ...(round.isSettled ? [] : [round.settled]), ...attempts]);
    }
  } finally {
    unsubscribe?.();
    losers.abort();
    await Promise.all(attempts);
  }
  if (won.held) return won.held;
  throw verdict(failures, round?.findings ?? []);
}
