import { NetworkLimiter } from "../../../net/network-limiter.ts";
import { RateLimiter, TokenBucket } from "../../../net/token-bucket.ts";
import type { Caller } from "./caller.ts";
import { type Refusal, waitFor } from "./refusal.ts";

export interface RequestLimits {
  requestsPerAddress: number;
  requests: number;
  guessesPerAddress: number;
}

/** The limits count what came in so many seconds. */
const SECONDS = 10;
const MAX_CALLERS = 4096;
/** What a network that has hardly asked may still ask when all is used up. */
const QUIET = { burst: 8, perSecond: 1 / 2, maxKeys: MAX_CALLERS } as const;

/** All who stand behind a proxy that names nobody. */
const PROXIED: Caller = { networks: [{ key: "", weight: 1 }], site: "" };

/** How often callers ask, and how often for a seat that is not there. */
export class Requests {
  readonly #callers: NetworkLimiter;
  readonly #all: TokenBucket;
  readonly #quiet = new RateLimiter(QUIET);
  readonly #guesses: NetworkLimiter;

  constructor({ requestsPerAddress, requests, guessesPerAddress }: RequestLimits) {
    this.#callers = new NetworkLimiter({ ...rateOf(requestsPerAddress), maxKeys: MAX_CALLERS });
    this.#guesses = new NetworkLimiter({ ...rateOf(guessesPerAddress), maxKeys: MAX_CALLERS });
    const { burst, perSecond } = rateOf(requests);
    this.#all = new TokenBucket(burst, perSecond);
  }

  /** Counts a request. */
  take(caller: Caller | undefined, now: number): Refusal | undefined {
    const own = caller ? this.#callers.waitMs(caller.networks, now) : 0;
    if (own > 0) return waitFor(429, "Too many requests from your address", own);
    const isQuiet = caller !== undefined && this.#quiet.take(caller.site, now);
    if (!this.#all.take(now) && !isQuiet) {
      return waitFor(503, "More is asked of this server than it answers", this.#all.waitMs(now));
    }
    if (caller) this.#callers.take(caller.networks, now);
    return undefined;
  }

  /**
   * Whether a caller without a seat has asked too often. Who has a seat is not asked about: it has nothing to guess, and others may
   * have the same address.
   */
  refuseGuess({ networks }: Caller = PROXIED, now: number): Refusal | undefined {
    const ms = this.#guesses.waitMs(networks, now);
    return ms > 0 ? waitFor(429, "Too many requests without a seat from your address", ms) : undefined;
  }

  /** The caller asked for a seat or a room that is not there. */
  guessed({ networks }: Caller = PROXIED, now: number): void {
    this.#guesses.take(networks, now);
  }
}

function rateOf(limit: number): { burst: number; perSecond: number } {
  return { burst: limit, perSecond: limit / SECONDS };
}
