import type { Clock } from "../net/clock.ts";
import { sleep } from "../net/wait.ts";
import type { Discover } from "./discovery.ts";
import { isKnownToBePrivate } from "./establish.ts";
import type { Gateway } from "./gateway.ts";
import { Round } from "./round.ts";

/** Late answers to a search are listened for so long, and longer only while something is not mapped. */
const LINGER = 3000;

export interface GatewaysOptions {
  clock: Clock;
  discover: Discover;
  /** Ends with the mapper. */
  signal: AbortSignal;
  /** Whether a mapping stands on it: it is then neither replaced nor closed. */
  isUsed: (gateway: Gateway) => boolean;
  /** Whether anybody still waits for a gateway, so that a search goes on listening. */
  isWanted: () => boolean;
  onArrival: (gateway: Gateway) => void;
}

/** The gateways that answered and still do, and the search for more. */
export class Gateways implements AsyncDisposable {
  readonly #options: GatewaysOptions;
  readonly #known = new Map<string, Gateway>();
  #round: Round | undefined;
  #arrival = Promise.withResolvers<void>();

  constructor(options: GatewaysOptions) {
    this.#options = options;
  }

  [Symbol.iterator](): MapIterator<Gateway> {
    return this.#known.values();
  }

  /** Resolves when the next one arrives. */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /** The gateway to ask next: one whose external address is public, or which tells it with the mapping, before any other. */
  best(tried: ReadonlySet<Gateway>, family: 4 | 6): Gateway | undefined {
    const open = [...this].filter(
      (gateway) => !tried.has(gateway) && gateway.localAddress.includes(":") === (family === 6),
    );
    return open.find(({ info }) => !isKnownToBePrivate(info)) ?? open[0];
  }

  /** The search that is under way, or a new one. */
  search(): Round {
    if (this.#round && !this.#round.isSettled) return this.#round;
    void this.#round?.[Symbol.asyncDispose]();
    const { clock, discover, signal, isWanted } = this.#options;
    const round = new Round(discover, (gateway) => this.#welcome(gateway));
    this.#round = round;
    void round.settled
      .then(() => sleep(LINGER, signal, clock))
      .then(() => (!isWanted() && this.#round === round ? round[Symbol.asyncDispose]() : undefined));
    return round;
  }

  #welcome(gateway: Gateway): void {
    const { signal, isUsed, onArrival } = this.#options;
    const key = `${gateway.info.via} ${gateway.info.address} ${gateway.localAddress}`;
    const known = this.#known.get(key);
    if (signal.aborted || (known && isUsed(known))) {
      void gateway.close();
      return;
    }
    void known?.close();
    // Every mapping listens to its gateway.
    gateway.setMaxListeners(0);
    this.#known.set(key, gateway);
    onArrival(gateway);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  /** It does not answer any more, or cannot be asked: it is looked for anew. */
  drop(gateway: Gateway): void {
    for (const [key, known] of this.#known) if (known === gateway) this.#known.delete(key);
    if (!this.#options.isUsed(gateway)) void gateway.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#round?.[Symbol.asyncDispose]();
    await Promise.all([...this].map((gateway) => gateway.close()));
    this.#known.clear();
  }
}
