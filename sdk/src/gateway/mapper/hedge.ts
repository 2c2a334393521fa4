import { type Gateway, OTHER_DEVICE } from "../gateway.ts";

/** A router that takes longer than this is not waited for alone: the next one is asked too. */
export const HEDGE_ROUTER_MS = 1000;
/** The same between two protocols of one router: it answers within milliseconds, or the first packet was lost. */
export const HEDGE_PROTOCOL_MS = 300;

/**
 * In how many milliseconds a gateway may be asked, beside those that are being asked since the times in `asked`. `Infinity`: not
 * before one of them has refused, or the search is over.
 * @param isSearched every gateway that is here has answered, as far as can be told
 */
export function waitMs(
  { info, rank }: Gateway,
  asked: ReadonlyMap<Gateway, number>,
  now: number,
  isSearched: boolean,
): number {
  // A better router may still answer.
  if (rank > 0 && !isSearched) return Number.POSITIVE_INFINITY;
  let wait = 0;
  for (const [other, since] of asked) {
    // What is not the default gateway serves only where that maps nothing.
    if (rank === OTHER_DEVICE && other.rank < rank) return Number.POSITIVE_INFINITY;
    const isOtherProtocol = other.info.address === info.address && other.info.via !== info.via;
    wait = Math.max(wait, since + (isOtherProtocol ? HEDGE_PROTOCOL_MS : HEDGE_ROUTER_MS) - now);
  }
  return wait;
}
