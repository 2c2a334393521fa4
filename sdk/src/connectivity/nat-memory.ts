import { keepAliveFor } from "../stun/keep-alive.ts";
import type { DetectionRung } from "./detection.ts";
import { type LifetimeParts, LifetimeRung, type OnSilence } from "./lifetime.ts";
import type { RungContext } from "./rung.ts";

export interface NatMemoryOptions {
  detection: DetectionRung;
  parts: LifetimeParts;
  /** Silences to try, in ms; none for no measurement that nobody asked for. */
  waitsMs: readonly number[];
  /** Whether players come by what the NAT remembers of the game's socket. */
  isNeeded: () => boolean;
  /** Others keep mappings alive too: relays, paths to players. `null`: the lifetime is not known. */
  onLifetime: (mappingLifetimeSeconds: number | null) => void;
}

/**
 * Sees to it that the NAT does not forget the game's socket while nobody plays, and finds out how often that takes. A game that
 * goes on needs none of it, since netcode sends ten packets a second; an invite that waits for friends does.
 */
export class NatMemory {
  readonly #options: NatMemoryOptions;
  readonly #lifetime: LifetimeRung;
  readonly #signal: AbortSignal;
  #intervalMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: RungContext, options: NatMemoryOptions) {
    const { parts, waitsMs } = options;
    this.#options = options;
    this.#signal = context.signal;
    this.#lifetime = new LifetimeRung(context, parts, waitsMs.length > 0 ? waitsMs : undefined);
    this.#fit();
    this.#signal.addEventListener("abort", () => clearInterval(this.#timer), { once: true });
  }

  /** The longest silence that a mapping was seen to survive; `null` for not known. */
  get lifetimeSeconds(): number | null {
    return this.#lifetime.seconds;
  }

  /** Measures, or joins a measurement that is under way. */
  async measure(onSilence?: OnSilence): Promise<void> {
    await this.#lifetime.measure(this.#options.detection.answering, onSilence);
    this.#fit();
  }

  /** In the background, once for each network. */
  measureIfNeeded(): void {
    const { waitsMs, isNeeded, detection } = this.#options;
    if (this.#signal.aborted || waitsMs.length === 0 || !isNeeded()) return;
    if (this.#lifetime.isDue(detection.answering)) void this.measure();
  }

  /** Another network has another NAT. */
  forget(): void {
    this.#lifetime.forget();
    this.#fit();
  }

  #fit(): void {
    if (this.#signal.aborted) return;
    const { lifetimeSeconds } = this;
    const intervalMs = keepAliveFor(lifetimeSeconds);
    if (intervalMs === this.#intervalMs) return;
    // What was meant for a longer pause may come too late for a shorter one.
    if (intervalMs < this.#intervalMs) this.#send();
    this.#intervalMs = intervalMs;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#send(), intervalMs).unref();
    this.#options.onLifetime(lifetimeSeconds);
  }

  #send(): void {
    const { detection, isNeeded } = this.#options;
    if (detection.servers.length > 0 && isNeeded()) void detection.keepAlive();
  }
}
