import { networkKey } from "../../net/caller-networks.ts";
import { RateLimiter, TokenBucket } from "../../net/token-bucket.ts";
import { CallerLimiter } from "./caller-limiter.ts";
import type { RendezvousLimits } from "./limits.ts";
import { SharedWindow } from "./shared-entries.ts";

/** When all wrong codes are used up: what a network that has not guessed lately may still get wrong, and how soon it is forgiven. */
const QUIET = { burst: 4, perSecond: 1 / 15 } as const;
const NETWORK = { ipv4: 24, ipv6: 32 } as const;
const ALL = "all";

/**
 * Holds up those who guess codes: each caller, the networks around it, and all together. Somebody with addresses all over the world
 * uses up what is for all; then the networks that guess are sent away, and the others are not.
 */
export class WrongCodes {
  readonly #burst: number;
  readonly #callers: CallerLimiter;
  readonly #all: TokenBucket;
  readonly #allShared: SharedWindow;
  readonly #quiet = new RateLimiter(QUIET);

  constructor({ burst, perSecond, wrongCodeBurst, wrongCodesPerSecond }: RendezvousLimits) {
    this.#burst = wrongCodeBurst;
    this.#callers = new CallerLimiter("wrong", { burst, perSecond });
    this.#all = new TokenBucket(wrongCodeBurst, wrongCodesPerSecond);
    this.#allShared = new SharedWindow("wrong-all", wrongCodeBurst / wrongCodesPerSecond);
  }

  /** Whether the caller may learn that its code is wrong. Takes what it costs before anything is awaited. */
  async take(address: string, now: number): Promise<boolean> {
    const callers = this.#callers.take(address, now);
    const open = this.#all.take(now);
    const quiet = this.#quiet.take(networkKey(address, NETWORK), now);
    if (!(await callers)) return false;
    const within = this.#isWithin(await this.#allShared.add(ALL, 1));
    return quiet || (open && within);
  }

  /** Whether the caller may learn that its code is right: not if it has guessed too often. */
  async mayEnter(address: string, now: number): Promise<boolean> {
    if (!(await this.#callers.has(address, now))) return false;
    if (this.#quiet.waitMs(networkKey(address, NETWORK), now) === 0) return true;
    return this.#all.waitMs(now) === 0 && this.#isWithin(await this.#allShared.read(ALL));
  }

  #isWithin(sum: number | undefined): boolean {
    return (sum ?? 0) <= this.#burst;
  }
}
