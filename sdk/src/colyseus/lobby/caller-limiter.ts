import { type CallerNetwork, callerNetworks } from "../../net/caller-networks.ts";
import { NetworkLimiter } from "../../net/network-limiter.ts";
import { SharedWindow } from "./shared-entries.ts";

export interface CallerRate {
  /** Tokens of one caller at once. */
  burst: number;
  /** Tokens of one caller in the long run. */
  perSecond: number;
}

/**
 * What one caller may take, and with its weight each network around it. Several processes of a lobby count together too: no more than
 * `burst` in each window of the time in which a bucket fills.
 */
export class CallerLimiter {
  readonly #rate: CallerRate;
  readonly #limiter: NetworkLimiter;
  readonly #window: SharedWindow;

  constructor(name: string, rate: CallerRate) {
    this.#rate = rate;
    this.#limiter = new NetworkLimiter(rate);
    this.#window = new SharedWindow(name, rate.burst / rate.perSecond);
  }

  /** Takes tokens of this process before anything is awaited, so that requests that come at once do not pass together. */
  async take(address: string, now: number, tokens = 1): Promise<boolean> {
    const networks = callerNetworks(address);
    if (!this.#limiter.take(networks, now, tokens)) return false;
    const sums = await Promise.all(networks.map(({ key }) => this.#window.add(key, tokens)));
    return this.#allow(networks, sums);
  }

  /** Whether there is a token; takes none. */
  async has(address: string, now: number): Promise<boolean> {
    const networks = callerNetworks(address);
    if (this.#limiter.waitMs(networks, now) > 0) return false;
    const sums = await Promise.all(networks.map(({ key }) => this.#window.read(key)));
    return this.#allow(
      networks,
      sums.map((sum) => sum && sum + 1),
    );
  }

  #allow(networks: readonly CallerNetwork[], sums: readonly (number | undefined)[]): boolean {
    return networks.every(({ weight }, i) => (sums[i] ?? 0) <= weight * this.#rate.burst);
  }
}
