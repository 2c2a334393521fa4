import { type Clock } from "../../net/clock.ts";
import { readInterfaces } from "../../net/interfaces.ts";

/** Between two looks: a look costs some microseconds. */
const LOOK_INTERVAL_MS = 3000;
/** When the machine slept or its clock was set, the two clocks part by more than this. */
const CLOCK_JUMP_MS = 10_000;

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
    this.#cancel = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    const { clock, onChange, fingerprint = fingerprintOfSystem } = this.#options;
    const now = clock.now();
    const skew = clock.unixNow() - now;
    // In sleep one clock stands still, or both go on and the timer comes late.
    const slept = Math.abs(skew - this.#skew) > CLOCK_JUMP_MS || now - this.#at > LOOK_INTERVAL_MS + CLOCK_JUMP_MS;
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
