import type { Clock } from "../../net/clock.ts";
import { keepAliveFor } from "../../stun/keep-alive.ts";
import { every } from "../clock.ts";

/**
 * Sends so often that the NAT does not forget the game's socket while nobody plays. A running game needs none of it, since
 * netcode sends ten packets a second; an invite that waits for friends does.
 */
export class NatKeepAlive {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #send: () => void;
  #intervalMs = 0;
  #stop: (() => void) | undefined;

  /** @param signal ends it */
  constructor(clock: Clock, signal: AbortSignal, send: () => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#send = send;
  }

  /** @param mappingLifetimeSeconds what the NAT was seen to remember; `null` for not known */
  fit(mappingLifetimeSeconds: number | null): void {
    const intervalMs = keepAliveFor(mappingLifetimeSeconds);
    if (this.#signal.aborted || intervalMs === this.#intervalMs) return;
    // The packet of a longer interval may come too late for a shorter one.
    if (intervalMs < this.#intervalMs) this.#send();
    this.#intervalMs = intervalMs;
    this.#stop?.();
    this.#stop = every(this.#clock, intervalMs, this.#signal, this.#send);
  }
}
