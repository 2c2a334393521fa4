/** What one lobby process grants to one address, and to all. */

import { RateLimiter } from "../../net/token-bucket.ts";
import type { GuestLimits } from "./guests.ts";

export interface RendezvousLimits extends GuestLimits {
  /** Requests of one address: at once, and per second in the long run. Guessing an invite costs one each. */
  burst: number;
  perSecond: number;
  /** Hosted games of one address. */
  gamesPerAddress: number;
  /** Hosted games of this process. */
  games: number;
  /** How long a game whose host has vanished stays known, in milliseconds. */
  holdMs: number;
}

export const LIMITS: RendezvousLimits = {
  burst: 30,
  perSecond: 1,
  gamesPerAddress: 16,
  games: 10_000,
  guestsPerGame: 64,
  guestsPerAddress: 16,
  guestMs: 30_000,
  introductionMs: 120_000,
  relayBurst: 80,
  relayPerSecond: 40,
  relayBytes: 262_144,
  holdMs: 60_000,
};

export class Quota {
  readonly #limits: RendezvousLimits;
  #requests: RateLimiter | undefined;
  #games = 0;
  readonly #gamesOf = new Map<string, number>();

  constructor(limits: RendezvousLimits) {
    this.#limits = limits;
  }

  /** False when the address has asked too often. */
  takeRequest(address: string): boolean {
    const { burst, perSecond } = this.#limits;
    this.#requests ??= new RateLimiter({ burst, perSecond });
    return this.#requests.take(address, performance.now());
  }

  /** False when there are too many games. Else {@link removeGame} must follow. */
  addGame(): boolean {
    if (this.#games >= this.#limits.games) return false;
    this.#games++;
    return true;
  }

  removeGame(): void {
    this.#games--;
  }

  /** False when this address hosts too many. Else {@link removeHost} must follow. */
  addHost(address: string): boolean {
    const games = this.#gamesOf.get(address) ?? 0;
    if (games >= this.#limits.gamesPerAddress) return false;
    this.#gamesOf.set(address, games + 1);
    return true;
  }

  removeHost(address: string): void {
    const games = (this.#gamesOf.get(address) ?? 1) - 1;
    if (games > 0) this.#gamesOf.set(address, games);
    else this.#gamesOf.delete(address);
  }
}
