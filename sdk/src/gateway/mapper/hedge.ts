import { type Gateway, OTHER_DEVICE } from "../gateway.ts";

/** A router that takes longer than this is not waited for alone: the next one is asked too. */
export const HEDGE_ROUTER_MS = 1000;
/** The same between two protocols of one router: it answers within milliseconds, or the first packet was lost. */
export const HEDGE_PROTOCOL_MS = 300;

/** Since when a gateway is being asked, in milliseconds. */
export interface Asked {
  /** It was chosen then. */
  startedAt: number;
  /** The first packet went out then. `Infinity`: another mapping is being made at its router, and this one waits for its turn. */
  askedAt: number;
}

/**
 * In how many milliseconds a gateway may be asked beside others. `Infinity`: not before something else has happened.
 * @param isSearched every gateway that is here has answered, as far as can be told
 */
export function waitMs(
  { info, rank }: Gateway,
  asked: ReadonlyMap<Gateway, Asked>,
  now: number,
  isSearched: boolean,
): number {
  // A better router may still answer.
  if (rank > 0 && !isSearched) return Number.POSITIVE_INFINITY;
  let wait = 0;
  for (const [other, { startedAt, askedAt }] of asked) {
    // What is not the default gateway serves only where that maps nothing.
    if (rank === OTHER_DEVICE && other.rank < rank) return Number.POSITIVE_INFINITY;
    const isSameRouter = other.info.address === info.address;
    const dueAt = isSameRouter
      ? askedAt + (other.info.via === info.via ? HEDGE_ROUTER_MS : HEDGE_PROTOCOL_MS)
      : startedAt + HEDGE_ROUTER_MS;
    wait = Math.max(wait, dueAt - now);
  }
  return wait;
}
