import { type NatLifetime } from "../nat/lifetime.ts";
import { type natLifetime } from "../nat/lifetime-discovery.ts";
import { keepAliveFor } from "../stun/keep-alive.ts";
import type { RungContext } from "./rung.ts";

export interface LifetimeParts {
  lifetime: typeof natLifetime;
}

/** Called for each silence that was tried: how long it was, in ms, and whether the NAT still knew the mapping after it. */
export type OnSilence = (waitMs: number, survived: boolean) => void;

const NO_SERVER =
  "How long your router remembers a silent connection can only be measured with a STUN server that answers.";

/** How long the NAT remembers a silent mapping, which takes minutes to learn: the rung that nobody waits for. */
export class LifetimeRung {
  found: NatLifetime | undefined;
  readonly #context: RungContext;
  readonly #parts: LifetimeParts;
  readonly #waitsMs: readonly number[] | undefined;
  readonly #listeners: Set<OnSilence> = new Set();
  #asked: readonly string[] = [];
  #measuring: { readonly result: Promise<void>; readonly abort: AbortController } | undefined;

  /** @param waitsMs default: `natLifetime`'s own */
  constructor(context: RungContext, parts: LifetimeParts, waitsMs: readonly number[] | undefined) {
    this.#context = context;
    this.#parts = parts;
    this.#waitsMs = waitsMs;
  }

  get seconds(): number | null {
    return this.found?.seconds ?? null;
  }

  /** Whether it is worth trying: not while it goes on, and again only where the servers were to blame. */
  isDue(servers: readonly string[]): boolean {
    if (this.#measuring !== undefined || servers.length === 0) return false;
    if (this.found?.outcome === "untold") return !servers.every((server) => this.#asked.includes(server));
    return this.found === undefined || this.found.outcome === "unanswered";
  }

  /** One measurement at a time; whoever asks meanwhile waits for the same. Never rejects. */
  async measure(servers: readonly string[], onSilence?: OnSilence): Promise<void> {
    if (servers.length === 0) {
      this.#context.step({ step: "lifetime", outcome: "skipped", ms: 0, reason: NO_SERVER });
      return;
    }
    if (onSilence) this.#listeners.add(onSilence);
    this.#measuring ??= this.#begin(servers);
    await this.#measuring.result;
    if (onSilence) this.#listeners.delete(onSilence);
  }

  /** Another network has another NAT. */
  forget(): void {
    this.#measuring?.abort.abort();
    this.#measuring = undefined;
    this.found = undefined;
  }

  #begin(servers: readonly string[]): { result: Promise<void>; abort: AbortController } {
    this.#asked = servers;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#context.signal]);
    return { result: this.#measure(servers, signal), abort };
  }

  async #measure(servers: readonly string[], signal: AbortSignal): Promise<void> {
    const { socket, step, update } = this.#context;
    const began = performance.now();
    const bound = socket.localAddress;
    const found = await this.#parts.lifetime(servers, {
      signal,
      onSilence: (waitMs, survived) => {
        for (const listener of this.#listeners) listener(waitMs, survived);
      },
      ...(this.#waitsMs === undefined ? {} : { waitsMs: this.#waitsMs }),
      ...(bound.includes(":") ? {} : { address: bound }),
    });
    if (signal.aborted) return;
    this.#measuring = undefined;
    this.found = found;
    const outcome = found.outcome === "measured" ? "ok" : found.outcome === "unanswered" ? "failed" : "skipped";
    const ms = Math.round(performance.now() - began);
    step({ step: "lifetime", outcome, ms, reason: describeLifetime(found) });
    update();
  }
}

/** In words that the person who hosts understands. */
export function describeLifetime({ outcome, seconds, goneAfterSeconds }: NatLifetime): string {
  const pauseMs = keepAliveFor(seconds);
  const pause = `Sallyport sends a packet every ${Math.floor(pauseMs / 1000)} s where friends depend on it`;
  if (outcome === "no-nat") return "No NAT stands before this machine, so that nothing is forgotten.";
  if (outcome === "untold") {
    return `How long your router remembers a silent connection cannot be told with this STUN server: it answers to no other port (RFC 5780), and your router gives the same port again. ${pause}.`;
  }
  if (seconds === null) {
    return `How long your router remembers a silent connection is not known: the STUN server does not answer (any more). ${pause}.`;
  }
  const memory =
    goneAfterSeconds === null
      ? `Your router remembers a silent connection for ${rounded(seconds)} s and longer`
      : `Your router forgets a silent connection after ${span(seconds, goneAfterSeconds)} s`;
  if (pauseMs < seconds * 1000) return `${memory}; ${pause}, so that is fine.`;
  return `${memory}, which is too short to be kept alive: let the router forward the port (UPnP, or by hand), or raise its UDP timeout.`;
}

function span(survived: number, gone: number): string {
  if (gone - survived <= survived / 3) return `about ${rounded((survived + gone) / 2)}`;
  return `${rounded(survived)} to ${rounded(gone)}`;
}

const rounded = (seconds: number): number => (seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds));
