import type { CallerNetwork } from "./caller-networks.ts";
import { RateLimiter, type RateLimiterOptions } from "./token-bucket.ts";

/** What one caller may take, and with its weight each network around it. Time is handed in, in ms. */
export class NetworkLimiter {
  readonly #options: RateLimiterOptions;
  readonly #byWeight = new Map<number, RateLimiter>();

  /** @param options of a caller of weight 1 */
  constructor(options: RateLimiterOptions) {
    this.#options = options;
  }

  /** Takes tokens of each network; false if one of them has too few, and then of those before it they are gone. */
  take(networks: readonly CallerNetwork[], now: number, tokens = 1): boolean {
    return networks.every((network) => this.#limiter(network).take(network.key, now, tokens));
  }

  /** How long until each network has so many tokens, ms; 0 when they have. Takes none. */
  waitMs(networks: readonly CallerNetwork[], now: number, tokens = 1): number {
    return networks.reduce((wait, each) => Math.max(wait, this.#limiter(each).waitMs(each.key, now, tokens)), 0);
  }

  #limiter({ weight }: CallerNetwork): RateLimiter {
    let limiter = this.#byWeight.get(weight);
    if (limiter === undefined) {
      const { burst, perSecond } = this.#options;
      limiter = new RateLimiter({ ...this.#options, burst: weight * burst, perSecond: weight * perSecond });
      this.#byWeight.set(weight, limiter);
    }
    return limiter;
  }
}
