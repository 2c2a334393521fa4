import { keepAliveFor } from "../stun/keep-alive.ts";
import type { Checklist } from "./checklist.ts";
import { byPriority, type CandidatePair } from "./pair.ts";

/** The first checks decide how long a player waits; RFC 8445 section 14.2 allows 5 ms. */
const FAST_PACE_MS = 20;
const FAST_CHECKS = 12;
/** RFC 7675 section 5.1, of which 80 to 120 % are taken. */
const CONSENT_INTERVAL_MS = 5_000;
/** How often pairs that failed are tried again: better ones than a relay, others better than the one in use, the rest. */
const UPGRADE_PROBE_MS = 4_000;
const BETTER_PROBE_MS = 15_000;
const RESERVE_PROBE_MS = 30_000;
/** … and all of them, when there is no path: at first, and after two minutes. */
const LOST_PROBE_MS = 5_000;
const LOST_MS = 120_000;
/** Failed pairs that are tried again. */
const MAX_PROBED = 16;
/**
 * The least time between two checks of one pair that the peer's triggered, doubled from one to the next: where checks arrive
 * and answers do not, two agents would else trigger one another for ever.
 */
const TRIGGER_GAP_MS = 20;
const MAX_TRIGGER_GAP_MS = 1_280;
/** A pair that works has its own retransmissions; only after so many does the peer's check trigger one. */
const DOUBTFUL = 2;

export interface ScheduleOptions {
  /** Ta, in ms. */
  readonly paceMs: number;
  /** See {@link CheckSchedule.fitKeepAlive}. */
  readonly keepAliveMs: number;
  readonly random: (bytes: number) => Uint8Array;
}

/** Which pair is checked when: one check for each slot of the pace. */
export class CheckSchedule {
  /** The pair in use. */
  selected: CandidatePair | null = null;
  /** When there was last a path, or a new reason to hope for one. */
  hopeAt: number = Number.NEGATIVE_INFINITY;
  readonly #checklist: Checklist;
  readonly #options: ScheduleOptions;
  #keepAliveMs: number;
  #triggered: CandidatePair[] = [];
  #nextSlot: number = Number.NEGATIVE_INFINITY;
  #fastChecks: number = FAST_CHECKS;

  constructor(checklist: Checklist, options: ScheduleOptions) {
    this.#checklist = checklist;
    this.#options = options;
    this.#keepAliveMs = options.keepAliveMs;
  }

  /** Pairs that work are checked so often that no translator forgets them meanwhile. */
  fitKeepAlive(mappingLifetimeSeconds: number | null, now: number): void {
    this.#keepAliveMs = keepAliveFor(mappingLifetimeSeconds, this.#options.keepAliveMs);
    for (const pair of this.#checklist.pairs) {
      if (pair.state === "succeeded") pair.dueAt = Math.min(pair.dueAt, now + this.#keepAlivePause());
    }
  }

  /** Everything again, and fast at first. */
  restart(now: number): void {
    for (const pair of this.#checklist.pairs) pair.restart(now);
    this.#fastChecks = FAST_CHECKS;
  }

  clear(): void {
    this.#triggered = [];
  }

  /** A check that answers the peer's (RFC 8445 section 7.3.1.4). */
  trigger(pair: CandidatePair, now: number): void {
    if (pair.usable && pair.unanswered < DOUBTFUL) return;
    if (pair.state === "failed") pair.restart(now);
    if (now - pair.sentAt < Math.min(MAX_TRIGGER_GAP_MS, TRIGGER_GAP_MS * 2 ** pair.triggers)) return;
    pair.triggers++;
    this.enqueue(pair);
  }

  enqueue(pair: CandidatePair): void {
    if (!this.#triggered.includes(pair)) this.#triggered.push(pair);
  }

  /** The pair to check now, if any; takes the slot. */
  take(now: number): CandidatePair | undefined {
    if (now < this.#nextSlot) return undefined;
    const pair = this.#next(now);
    if (pair === undefined) return undefined;
    const { paceMs } = this.#options;
    this.#nextSlot = now + (this.#fastChecks-- > 0 ? Math.min(FAST_PACE_MS, paceMs) : paceMs);
    return pair;
  }

  /** When there is something to do. */
  nextAt(): number {
    if (this.#triggered.length > 0) return this.#nextSlot;
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#checklist.pairs) next = Math.min(next, dueAt);
    return Math.max(next, this.#nextSlot);
  }

  /** Notes a check that leaves now; `withheld`: one that was due and may not leave. */
  sent(pair: CandidatePair, now: number, withheld = false): void {
    const failed = pair.state === "failed";
    if (withheld) pair.passOver(now, this.isReserve(pair));
    else pair.sent(now, this.isReserve(pair));
    if (failed) this.probeLater(pair, now);
    if (pair === this.selected && pair.unanswered === 2) this.checkReserve(now);
  }

  /** Notes an answer. */
  answered(pair: CandidatePair, now: number): void {
    pair.dueAt = now + (pair === this.selected ? this.#consentPause() : this.#keepAlivePause());
  }

  /** Another pair, or none, is in use. */
  select(pair: CandidatePair | null, now: number): void {
    this.selected = pair;
    this.hopeAt = now;
    if (pair !== null) pair.dueAt = Math.min(pair.dueAt, now + this.#consentPause());
    for (const each of this.#checklist.pairs) {
      if (pair === null) each.restart(now);
      else if (each.state === "failed") each.dueAt = Math.min(each.dueAt, now + this.#probePause(each, now));
    }
  }

  /** A pair that failed is not forgotten: translators open and relays come back. */
  probeLater(pair: CandidatePair, now: number): void {
    pair.dueAt = now + this.#probePause(pair, now);
  }

  /** Asks the other ways whether they still work, before one of them is needed. */
  checkReserve(now: number): void {
    for (const pair of this.#checklist.pairs) {
      if (pair !== this.selected && pair.state === "succeeded" && pair.unanswered === 0) pair.dueAt = now;
    }
  }

  /** Whether the path in use is as good as this pair would be. */
  isReserve(pair: CandidatePair): boolean {
    return this.selected !== null && pair !== this.selected && pair.tier >= this.selected.tier;
  }

  /** Triggered checks first (RFC 8445 section 6.1.4.2), then the path in use, then whoever has waited longest. */
  #next(now: number): CandidatePair | undefined {
    for (let pair = this.#triggered.shift(); pair !== undefined; pair = this.#triggered.shift()) {
      if (this.#checklist.has(pair)) return pair;
    }
    const { selected } = this;
    if (selected !== null && selected.dueAt <= now && this.#checklist.has(selected)) return selected;
    let next: CandidatePair | undefined;
    for (const pair of this.#checklist.pairs) {
      if (pair.dueAt > now) continue;
      if (pair.state === "failed" && !this.#isProbed(pair)) pair.dueAt = now + RESERVE_PROBE_MS;
      else if (next === undefined || (pair.dueAt - next.dueAt || byPriority(pair, next)) < 0) next = pair;
    }
    return next;
  }

  #isProbed(pair: CandidatePair): boolean {
    if (this.#checklist.size <= MAX_PROBED) return true;
    let better = 0;
    let isBefore = true;
    for (const each of this.#checklist.pairs) {
      if (each === pair) isBefore = false;
      if (each.state !== "failed") continue;
      const order = byPriority(each, pair);
      if (order < 0 || (order === 0 && isBefore)) better++;
    }
    return better < MAX_PROBED;
  }

  #probePause(pair: CandidatePair, now: number): number {
    const { selected } = this;
    let pause: number;
    if (selected === null) pause = now - this.hopeAt < LOST_MS ? LOST_PROBE_MS : RESERVE_PROBE_MS;
    else if (pair.tier >= selected.tier) pause = RESERVE_PROBE_MS;
    else pause = selected.tier >= 2 ? UPGRADE_PROBE_MS : BETTER_PROBE_MS;
    return pause * this.#between(0.9, 1.1);
  }

  #consentPause(): number {
    return Math.min(CONSENT_INTERVAL_MS, this.#keepAliveMs) * this.#between(0.8, 1.2);
  }

  #keepAlivePause(): number {
    return this.#keepAliveMs * this.#between(0.8, 1);
  }

  #between(least: number, most: number): number {
    return least + ((most - least) * (this.#options.random(1)[0] ?? 0)) / 255;
  }
}
