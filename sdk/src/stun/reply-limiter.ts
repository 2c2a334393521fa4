import { networkKey } from "../net/caller-networks.ts";
import { RateLimiter, TokenBucket } from "../net/token-bucket.ts";

/** How many answers a STUN server sends: a source can be forged, and gets what it did not ask for. */
export interface StunReplyLimits {
  /** To one network, an IPv4 /24 or an IPv6 /48: at once. Default 1024. */
  networkBurst?: number;
  /** And per second in the long run. Default 128: 4 kB. */
  networkPerSecond?: number;
  /** To all: at once. Default 16 384. */
  burst?: number;
  /** And per second in the long run. Default 4096. */
  perSecond?: number;
}

const NETWORK = { ipv4: 24, ipv6: 48 } as const;

export class StunReplyLimiter {
  readonly #networks: RateLimiter;
  readonly #all: TokenBucket;

  constructor(limits: StunReplyLimits = {}) {
    const { networkBurst = 1024, networkPerSecond = 128, burst = 16_384, perSecond = 4096 } = limits;
    this.#networks = new RateLimiter({ burst: networkBurst, perSecond: networkPerSecond });
    this.#all = new TokenBucket(burst, perSecond);
  }

  /** Whether to answer a source. @param now in ms */
  take(address: string, now: number): boolean {
    return this.#networks.take(networkKey(address, NETWORK), now) && this.#all.take(now);
  }
}
