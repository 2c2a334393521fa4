/**
 * How many guests a host answers. Relays limit nobody that we could trust to, and before ICE a host sees no address: so who has the
 * whole link is counted apart from who has but the code, which travels further.
 */
import { TokenBucket } from "../../net/token-bucket.ts";
import type { InviteMode } from "../mailbox/topics.ts";

/** Each costs three multiplications on the curve and two published messages. */
const LIMITS = {
  all: { burst: 64, perSecond: 16 },
  link: { burst: 48, perSecond: 8 },
  // Less than all: holders of the code leave room for those of the link.
  code: { burst: 16, perSecond: 2 },
} as const;
/** Open at one time. */
const MAX_OPEN = { link: 96, code: 48 } as const;

export class HelloLimits {
  readonly #all = new TokenBucket(LIMITS.all.burst, LIMITS.all.perSecond);
  readonly #buckets: Record<InviteMode, TokenBucket> = {
    link: new TokenBucket(LIMITS.link.burst, LIMITS.link.perSecond),
    code: new TokenBucket(LIMITS.code.burst, LIMITS.code.perSecond),
  };

  /** @param open conversations of this mode @param now ms */
  admits(mode: InviteMode, open: number, now: number): boolean {
    return open < MAX_OPEN[mode] && this.#buckets[mode].take(now) && this.#all.take(now);
  }
}
