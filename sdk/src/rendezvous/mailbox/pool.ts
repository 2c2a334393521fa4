/**
 * The relays of one host or guest: the best few that answer. One that is dead, refuses or hangs gives its place to the next, and is
 * asked again later; nothing here is published by itself.
 */
import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import { TraceLimiter } from "../../net/trace-limiter.ts";
import type { RelaySender, Topic } from "../wire/relay.ts";
import { RelayConnection } from "./connection.ts";
import type { OpenRelaySocket } from "./socket.ts";

const trace = traceOf("rendezvous");
/** Relays, and strangers through them, may be as busy as they like. */
const limiter = new TraceLimiter();

/** First and longest rest of a relay that failed, ms; of one that will not change its mind; of any while there is none at all. */
const REST_MS = { first: 2000, longest: 600_000, lasting: 3_600_000, none: 10_000 } as const;
/** One that was good for so long is given another chance soon, ms. */
const GOOD_FOR_MS = 60_000;
/** One that refused a message gets none for so long, ms; after so many in a row it rests. */
const REFUSED_MS = 15_000;
const MAX_REFUSALS = 3;

export interface RelayPoolOptions {
  /** The best first: see ranking.ts. */
  ranked: readonly string[];
  /** How many to hold. */
  wanted: number;
  topicsOf: (relay: string) => readonly Topic[];
  openSocket: OpenRelaySocket;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
  /** This one listens from now on. */
  onReady: (relay: string) => void;
  onMessage: (relay: string, topic: Topic, content: Uint8Array) => void;
  /** One that was tried, or was ready, is not. */
  onLost?: (relay: string, reason: string) => void;
}

interface Entry {
  url: string;
  connection: RelayConnection | undefined;
  readyAt: number;
  failures: number;
  refusals: number;
  /** clock.unixNow(), so that a machine that slept asks at once. */
  restUntil: number;
  isLasting: boolean;
  quietUntil: number;
}

export class RelayPool {
  readonly #options: RelayPoolOptions;
  readonly #entries: Entry[];
  #wanted: number;
  #cancel: () => void = () => undefined;
  #isClosed = false;

  /** Begins to connect. */
  constructor(options: RelayPoolOptions) {
    this.#options = options;
    this.#wanted = options.wanted;
    this.#entries = options.ranked.map((url) => ({
      url,
      connection: undefined,
      readyAt: 0,
      failures: 0,
      refusals: 0,
      restUntil: 0,
      isLasting: false,
      quietUntil: 0,
    }));
    this.#fill();
  }

  /** That listen for us, the best first. */
  get ready(): string[] {
    return this.#entries.filter(({ connection }) => connection?.isReady === true).map(({ url }) => url);
  }

  /** Those of them that take what is published. */
  get publishable(): string[] {
    const now = this.#options.clock.unixNow();
    const ready = this.#entries.filter(({ connection }) => connection?.isReady === true);
    const willing = ready.filter(({ quietUntil }) => quietUntil <= now);
    return (willing.length > 0 ? willing : ready).map(({ url }) => url);
  }

  publish(relay: string, topic: Topic, content: Uint8Array, sender: RelaySender): void {
    this.#entries.find(({ url }) => url === relay)?.connection?.publish(topic, content, sender);
  }

  /** Topics have changed. */
  resubscribe(): void {
    for (const { url, connection } of this.#entries) connection?.subscribe(this.#options.topicsOf(url));
  }

  /** Holds more from now on. */
  widen(wanted: number): void {
    this.#wanted = wanted;
    this.#fill();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
    for (const { connection } of this.#entries) connection?.close();
  }

  #fill(): void {
    if (this.#isClosed) return;
    const now = this.#options.clock.unixNow();
    if (!this.#entries.some(({ connection }) => connection)) {
      // No relay at all: then it is our network that fails, and each of them may be the first that is back.
      for (const entry of this.#entries) {
        if (!entry.isLasting) entry.restUntil = Math.min(entry.restUntil, now + REST_MS.none);
      }
    }
    let held = 0;
    for (const entry of this.#entries) {
      if (held >= this.#wanted) break;
      if (entry.connection === undefined && entry.restUntil <= now) this.#open(entry);
      if (entry.connection !== undefined) held++;
    }
    this.#cancel();
    // Those too that could not even be opened just now.
    const rests = this.#entries.map(({ restUntil }) => restUntil).filter((restUntil) => restUntil > now);
    const next = Math.min(...rests);
    if (next === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#options.clock.after(Math.min(Math.max(next - now, 100), 60_000), () => this.#fill());
  }

  #open(entry: Entry): void {
    const { topicsOf, openSocket, clock, random, onReady, onMessage, onLost } = this.#options;
    const { url } = entry;
    try {
      entry.connection = new RelayConnection({
        url,
        topics: topicsOf(url),
        openSocket,
        clock,
        random,
        onReady: () => {
          if (trace.on) trace.event("relay-ready", { relay: new URL(url) });
          entry.readyAt = clock.unixNow();
          this.#letGo();
          if (entry.connection !== undefined) onReady(url);
        },
        onMessage: (topic, content) => onMessage(url, topic, content),
        onRefused: (reason) => this.#onRefused(entry, reason),
        onClosed: (reason, isLasting) => {
          this.#rest(entry, reason, isLasting);
          onLost?.(url, reason);
          this.#fill();
        },
      });
    } catch (error) {
      this.#rest(entry, String(error), isForbidden(error));
    }
  }

  /** A better one is back: the worst of those that are too many is given up. */
  #letGo(): void {
    const ready = this.#entries.filter(({ connection }) => connection?.isReady === true);
    for (const entry of ready.slice(this.#wanted)) {
      entry.connection?.close();
      entry.connection = undefined;
    }
  }

  #onRefused(entry: Entry, reason: string): void {
    const { clock } = this.#options;
    const count = trace.on ? limiter.take(entry.url, clock.now()) : 0;
    if (count > 0) trace.event("relay-refused", { relay: new URL(entry.url), reason, count });
    entry.refusals++;
    entry.quietUntil = clock.unixNow() + REFUSED_MS * 2 ** Math.min(entry.refusals, 6);
    if (entry.refusals < MAX_REFUSALS) return;
    entry.connection?.close();
    this.#rest(entry, reason, true);
    this.#options.onLost?.(entry.url, reason);
    this.#fill();
  }

  #rest(entry: Entry, reason: string, isLasting: boolean): void {
    const now = this.#options.clock.unixNow();
    const wasGood = entry.connection?.isReady !== undefined && entry.readyAt > 0 && now - entry.readyAt > GOOD_FOR_MS;
    entry.failures = wasGood ? 1 : entry.failures + 1;
    entry.refusals = 0;
    entry.readyAt = 0;
    entry.connection = undefined;
    entry.isLasting = isLasting;
    const [random = 0] = this.#options.random(1);
    const wait = Math.min(REST_MS.longest, REST_MS.first * 2 ** Math.min(entry.failures - 1, 20));
    entry.restUntil = now + (isLasting ? REST_MS.lasting : wait * (0.5 + random / 512));
    if (trace.on) trace.event("relay-lost", { relay: new URL(entry.url), reason, retryInMs: entry.restUntil - now });
  }
}

/** A page of https: may open no ws: (SecurityError), and none opens what is no URL to it. What else fails may work later. */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && (error.name === "SecurityError" || error.name === "SyntaxError");
}
