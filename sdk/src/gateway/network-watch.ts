import type { Clock } from "../net/clock.ts";
import { readInterfaces } from "../net/interfaces.ts";

/** Between two looks: a look costs some microseconds. */
const INTERVAL = 3000;
/** The two clocks part by more than this when the machine slept, or its clock was set. */
const JUMP = 10_000;

export interface NetworkWatchOptions {
  clock: Clock;
  onChange: (reason: string) => void;
  /** What the network is now, as one text; default: every address of every interface. */
  fingerprint?: () => string;
}

/** Notices that addresses changed, and that the machine slept. */
export class NetworkWatch implements Disposable {
  readonly #options: NetworkWatchOptions;
  #cancel: () => void = () => undefined;
  #fingerprint: string;
  #skew: number;
  #at: number;

  constructor(options: NetworkWatchOptions) {
    this.#options = options;
    const { clock, fingerprint = fingerprintOfSystem } = options;
    this.#fingerprint = fingerprint();
    this.#at = clock.now();
    this.#skew = clock.unixNow() - this.#at;
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(INTERVAL, () => {
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    const { clock, onChange, fingerprint = fingerprintOfSystem } = this.#options;
    const now = clock.now();
    const skew = clock.unixNow() - now;
    // One clock stands still in sleep, or both go on and the timer comes late.
    const slept = Math.abs(skew - this.#skew) > JUMP || now - this.#at > INTERVAL + JUMP;
    const print = fingerprint();
    const changed = print !== this.#fingerprint;
    this.#skew = skew;
    this.#at = now;
    this.#fingerprint = print;
    if (changed) onChange("the addresses of this computer changed");
    else if (slept) onChange("this computer slept");
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}

function fingerprintOfSystem(): string {
  return Object.entries(readInterfaces())
    .flatMap(([name, list]) => (list ?? []).map(({ address, cidr }) => `${name} ${address} ${cidr}`))
    .sort()
    .join("\n");
}
