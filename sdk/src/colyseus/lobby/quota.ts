/** What a lobby, in all of its processes, grants to one caller, to the networks around it, and to all. */
import { callerNetworks } from "../../net/caller-networks.ts";
import { CallerLimiter } from "./caller-limiter.ts";
import { Gauge } from "./gauge.ts";
import type { RendezvousLimits } from "./limits.ts";
import { WrongCodes } from "./wrong-codes.ts";

const GAMES = "games";
const hostsOf = (key: string): string => `hosts:${key}`;

export class Quota {
  readonly #limits: RendezvousLimits;
  readonly #gauge = new Gauge();
  // Made with the first request: until then the limits may be changed.
  #requests: CallerLimiter | undefined;
  #hashes: CallerLimiter | undefined;
  #wrongCodes: WrongCodes | undefined;

  constructor(limits: RendezvousLimits) {
    this.#limits = limits;
  }

  /** False when the caller has asked too often. */
  takeRequest(address: string): Promise<boolean> {
    const { requestBurst: burst, requestsPerSecond: perSecond } = this.#limits;
    this.#requests ??= new CallerLimiter("requests", { burst, perSecond });
    return this.#requests.take(address, performance.now());
  }

  /** False when the caller has guessed codes too often to learn whether this one is right. A wrong one costs. */
  takeCode(address: string, isRight: boolean): Promise<boolean> {
    this.#wrongCodes ??= new WrongCodes(this.#limits);
    const now = performance.now();
    return isRight ? this.#wrongCodes.mayEnter(address, now) : this.#wrongCodes.take(address, now);
  }

  /** False when the caller has made the lobby hash too often. */
  takeHash(address: string): Promise<boolean> {
    const { burst, perSecond, gamesPerAddress, hashTokens } = this.#limits;
    // All games of an address come back at once when a lobby has been restarted.
    const rate = { burst: Math.max(burst, gamesPerAddress * hashTokens), perSecond };
    this.#hashes ??= new CallerLimiter("hashes", rate);
    return this.#hashes.take(address, performance.now(), hashTokens);
  }

  /** False when there are too many games. Else {@link removeGame} must follow. */
  addGame(): Promise<boolean> {
    return this.#gauge.add(GAMES, this.#limits.games);
  }

  removeGame(): void {
    this.#gauge.remove(GAMES);
  }

  /** False when this caller, or a network around it, hosts too many. Else {@link removeHost} must follow. */
  async addHost(address: string): Promise<boolean> {
    const added: string[] = [];
    for (const { key, weight } of callerNetworks(address)) {
      if (!(await this.#gauge.add(hostsOf(key), weight * this.#limits.gamesPerAddress))) {
        for (const each of added) this.#gauge.remove(hostsOf(each));
        return false;
      }
      added.push(key);
    }
    return true;
  }

  removeHost(address: string): void {
    for (const { key } of callerNetworks(address)) this.#gauge.remove(hostsOf(key));
  }
}
