import type { NatLifetime } from "../../nat/lifetime.ts";
import { stopwatch } from "../clock.ts";
import type { Findings } from "../verdict.ts";
import { describeLifetime } from "./describe-lifetime.ts";
import type { DetectionRung } from "./detection.ts";
import { NatKeepAlive } from "./keep-alive.ts";
import type { MappingRung } from "./mapping.ts";
import type { RelayRung } from "./relay.ts";
import { type Change, isLoopback, type Rung, type RungContext } from "./rung.ts";

/** Called for each silence that was tried: how long it was, in ms, and whether the NAT still knew the mapping after it. */
export type OnSilence = (waitMs: number, survived: boolean) => void;

/** The rungs that this one works with. */
export interface LifetimeNeighbours {
  readonly detection: Pick<DetectionRung, "answering" | "keepAlive">;
  readonly mapping: Pick<MappingRung, "held">;
  readonly relay: Pick<RelayRung, "fitKeepAlive">;
}

interface Measurement {
  readonly result: Promise<void>;
  readonly abort: AbortController;
}

const NO_SERVER =
  "How long your router remembers a silent connection can only be measured with a STUN server that answers.";

/**
 * The rung that nobody waits for: it keeps the NAT's mapping of the game's socket alive, and measures in the background how long
 * the NAT remembers a silent one, which takes minutes. Keep-alives are fitted to the result.
 */
export class LifetimeRung implements Rung {
  readonly #context: RungContext;
  readonly #neighbours: LifetimeNeighbours;
  readonly #listeners: Set<OnSilence> = new Set();
  #keepAlive: NatKeepAlive | undefined;
  #found: NatLifetime | undefined;
  /** The servers of the last measurement. */
  #asked: readonly string[] = [];
  #measuring: Measurement | undefined;

  constructor(context: RungContext, neighbours: LifetimeNeighbours) {
    this.#context = context;
    this.#neighbours = neighbours;
  }

  get findings(): Partial<Findings> {
    return { mappingLifetimeSeconds: this.#found?.seconds ?? null };
  }

  async open(): Promise<void> {
    const { dependencies, signal, socket } = this.#context;
    if (isLoopback(socket())) return;
    this.#keepAlive = new NatKeepAlive(dependencies.clock, signal, () => {
      if (this.#isNeeded) void this.#neighbours.detection.keepAlive();
    });
    this.#fit();
  }

  /** Measures in the background, once for each network, where players depend on the result. */
  async settle(): Promise<void> {
    const { options, signal } = this.#context;
    if (signal.aborted || options.lifetimeWaitsMs.length === 0 || !this.#isNeeded || !this.#isDue) return;
    void this.measure();
  }

  /** One measurement at a time; a second call joins the first. Never rejects. */
  async measure(onSilence?: OnSilence): Promise<void> {
    const { answering } = this.#neighbours.detection;
    if (!this.#keepAlive) return;
    if (answering.length === 0) {
      this.#context.step({ step: "lifetime", outcome: "skipped", ms: 0, reason: NO_SERVER });
      return;
    }
    if (onSilence) this.#listeners.add(onSilence);
    this.#measuring ??= this.#begin(answering);
    await this.#measuring.result;
    if (onSilence) this.#listeners.delete(onSilence);
  }

  async refresh(): Promise<void> {
    // A NAT's timers do not change while it runs.
  }

  /** Another network has another NAT. */
  forget(changed: Change): void {
    if (changed !== "network") return;
    this.#measuring?.abort.abort();
    this.#measuring = undefined;
    this.#found = undefined;
    this.#fit();
  }

  async close(): Promise<void> {
    // Keep-alive and measurement end with the context's signal.
  }

  /** Whether players come by what the NAT remembers of the game's socket: by invite, or through a NAT that lets all in. */
  get #isNeeded(): boolean {
    return this.#neighbours.mapping.held.length === 0 && this.#context.reachability().nat.mapping !== "none";
  }

  /** Not while a measurement goes on, and again only where the servers were to blame. */
  get #isDue(): boolean {
    const { answering } = this.#neighbours.detection;
    if (this.#measuring !== undefined || answering.length === 0) return false;
    if (this.#found?.outcome === "untold") return !answering.every((server) => this.#asked.includes(server));
    return this.#found === undefined || this.#found.outcome === "unanswered";
  }

  #begin(servers: readonly string[]): Measurement {
    this.#asked = servers;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#context.signal]);
    return { result: this.#measure(servers, signal), abort };
  }

  async #measure(servers: readonly string[], signal: AbortSignal): Promise<void> {
    const { options, dependencies, socket, step, update } = this.#context;
    const elapsedMs = stopwatch(dependencies.clock);
    const bound = socket().localAddress;
    const waitsMs = options.lifetimeWaitsMs;
    const found = await dependencies.natLifetime(servers, {
      signal,
      onSilence: (waitMs, survived) => {
        for (const listener of this.#listeners) listener(waitMs, survived);
      },
      ...(waitsMs.length === 0 ? {} : { waitsMs }),
      ...(bound.includes(":") ? {} : { address: bound }),
    });
    if (signal.aborted) return;
    this.#measuring = undefined;
    this.#found = found;
    this.#fit();
    const outcome = found.outcome === "measured" ? "ok" : found.outcome === "unanswered" ? "failed" : "skipped";
    step({ step: "lifetime", outcome, ms: elapsedMs(), reason: describeLifetime(found) });
    update();
  }

  #fit(): void {
    const seconds = this.#found?.seconds ?? null;
    this.#keepAlive?.fit(seconds);
    this.#neighbours.relay.fitKeepAlive(seconds);
  }
}
