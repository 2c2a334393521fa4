import type { UnprovenAddress } from "../net/unproven-address.ts";
import type { CandidateType, IceCandidate } from "./candidate.ts";
import type { IcePairInfo, IcePath, IceSource } from "./types.ts";

/** A candidate of the peer as we know it. */
export interface RemoteCandidate extends IceCandidate {
  /** `false` for peer-reflexive ones, that no signalling named. */
  readonly signalled: boolean;
  readonly foundAt: number;
  /**
   * Until a check of ours was answered from there: what came from it, and what may be sent there in return. Its own checks prove who
   * wrote them, and not where.
   */
  unproven: UnprovenAddress | undefined;
  /** Checks that may go there though nothing came from it: none where it is only answered, a few where it is only likely. */
  mayAsk: number;
  /** Those that went. */
  asked: number;
}

/**
 * Pauses between the checks of a pair that has not answered yet: eleven checks in 8 s. Both sides' first checks only open
 * their own translators, so the second must follow soon; RFC 8445's 500 ms and doubling keep a player waiting.
 */
const PUNCH_SCHEDULE_MS: readonly number[] = [200, 300, 400, 500, 600, 800, 1000, 1000, 1500, 1500];
/** Checks of a pair that would be no better than the one in use: enough to have it in reserve. */
const RESERVE_CHECKS = 5;
/** What an answer may take after the last check. */
const LAST_ANSWER_MS = 1500;

/** A silent path is given up after this long and so many checks, twice as long where packets still come in. */
const SILENCE_MS = 1500;
/** Where another way of its class answers meanwhile, there is less to lose. */
const RESERVED_SILENCE_MS = 1000;
const SILENT_CHECKS = 4;
/** RFC 7675 section 5.1: consent expires. */
export const CONSENT_MS = 30_000;
/**
 * A pair that fell silent must prove itself this long before packets go back to it, doubled each time, until it has
 * answered for a minute.
 */
const HOLD_MS = 2_000;
const MAX_HOLD_MS = 60_000;
const TRUSTED_MS = 60_000;

/**
 * One way to the peer: from our socket or a relay of ours to one of its addresses. Host and reflexive candidates of the
 * same socket make the same pair (RFC 8445 section 6.1.2.4), so that there is one for each `via` and remote address.
 */
export class CandidatePair implements IceSource {
  readonly via: string;
  /** Replaced when signalling names a candidate that a check had found before. */
  remote: RemoteCandidate;
  /** Of the local base. */
  localPriority: number;
  /** What the peer sees us as; for the socket known from the first answer on. */
  localType: CandidateType;
  state: "waiting" | "in-progress" | "succeeded" | "failed" = "waiting";
  heard = false;
  /** Whether the handler knows it as a source of the peer's packets. */
  announced = false;
  /** Whether a succeeded pair answers now. */
  healthy = false;
  /** When the next check is due, in ms. */
  dueAt: number;
  /** A nomination by the controlling side that waits for our own check to succeed. */
  nominated: number | null = null;
  checks = 0;
  rttMs = 0;
  rttSamples = 0;
  confirmedAt: number = Number.NEGATIVE_INFINITY;
  sentAt: number = Number.NEGATIVE_INFINITY;
  /** The first check after the last answer. */
  unansweredSince: number = Number.POSITIVE_INFINITY;
  unanswered = 0;
  /** Checks that the peer's triggered, since the last answer. */
  triggers = 0;
  heardAt: number = Number.NEGATIVE_INFINITY;
  /** Until when a better class alone is no reason to come back. */
  holdUntil = 0;
  #attempts = 0;
  #silences = 0;
  #recoveredAt = 0;

  constructor(via: string, remote: RemoteCandidate, localPriority: number, localType: CandidateType, now: number) {
    this.via = via;
    this.remote = remote;
    this.localPriority = localPriority;
    this.localType = localType;
    this.dueAt = now;
  }

  get address(): string {
    return this.remote.address;
  }

  get port(): number {
    return this.remote.port;
  }

  get usable(): boolean {
    return this.state === "succeeded" && this.healthy;
  }

  /**
   * How many relays and translators the way has, coarsely: 0 host to host, 1 direct, 2 and 3 with one and two relays. The
   * lower class always wins; inside a class only a much shorter round trip does.
   */
  get tier(): 0 | 1 | 2 | 3 {
    const relays = Number(this.localType === "relayed") + Number(this.remote.type === "relayed");
    if (relays > 0) return relays === 1 ? 2 : 3;
    return this.localType === "host" && this.remote.type === "host" ? 0 : 1;
  }

  /** Notes a check that leaves now. @param reserve whether the pair in use is as good */
  sent(now: number, reserve: boolean): void {
    this.checks++;
    this.sentAt = now;
    if (this.state === "succeeded") {
      if (this.unanswered++ === 0) this.unansweredSince = now;
      this.dueAt = now + (this.healthy ? Math.min(600, Math.max(250, 1.5 * this.rttMs + 50)) : 1000);
    } else this.passOver(now, reserve);
  }

  /** One check less of an unanswered pair: it leaves, or may not. */
  passOver(now: number, reserve: boolean): void {
    if (this.state === "waiting") this.state = "in-progress";
    const pause = PUNCH_SCHEDULE_MS[this.#attempts++];
    this.dueAt = now + (pause === undefined || (reserve && this.#attempts >= RESERVE_CHECKS) ? LAST_ANSWER_MS : pause);
  }

  /** Whether all the checks of an unanswered pair are spent. */
  exhausted(reserve: boolean): boolean {
    return this.#attempts > (reserve ? RESERVE_CHECKS - 1 : PUNCH_SCHEDULE_MS.length);
  }

  /** Notes an answer to a check that left at `sentAt`. */
  confirm(sentAt: number, now: number): void {
    const rtt = now - sentAt;
    this.rttMs = this.rttSamples++ === 0 ? rtt : this.rttMs + (rtt - this.rttMs) / Math.min(8, this.rttSamples);
    if (this.state === "succeeded" && !this.healthy) {
      this.#recoveredAt = now;
      this.holdUntil = now + Math.min(MAX_HOLD_MS, HOLD_MS * 2 ** (this.#silences - 1));
    }
    this.state = "succeeded";
    this.healthy = true;
    this.confirmedAt = now;
    this.unanswered = 0;
    this.triggers = 0;
    this.unansweredSince = Number.POSITIVE_INFINITY;
    this.#attempts = 0;
  }

  /** Whether a succeeded pair has just fallen silent. @param hasReserve whether another one of its class has answered meanwhile */
  fellSilent(now: number, hasReserve: boolean): boolean {
    if (!this.usable || this.unanswered < SILENT_CHECKS) return false;
    const silence = hasReserve ? RESERVED_SILENCE_MS : SILENCE_MS;
    const patience = now - this.heardAt < SILENCE_MS ? 2 * SILENCE_MS : silence;
    if (now - this.unansweredSince < patience + this.rttMs) return false;
    this.healthy = false;
    this.#silences = now - this.#recoveredAt > TRUSTED_MS ? 1 : this.#silences + 1;
    return true;
  }

  get consentExpired(): number {
    return this.state === "succeeded" ? this.confirmedAt + CONSENT_MS : Number.POSITIVE_INFINITY;
  }

  fail(): void {
    this.state = "failed";
    this.healthy = false;
    this.nominated = null;
  }

  /** Begins again, as if never checked, but without taking back what was proven. */
  restart(now: number): void {
    this.#attempts = 0;
    this.triggers = 0;
    this.#silences = 0;
    this.holdUntil = 0;
    this.dueAt = now;
    if (this.state !== "succeeded") this.state = "waiting";
  }

  path(): IcePath {
    const { via, remote, localType, rttMs } = this;
    const behindNat = (type: CandidateType): boolean => type === "reflexive" || type === "peer-reflexive";
    const kind = this.tier >= 2 ? "relayed" : behindNat(localType) && behindNat(remote.type) ? "punched" : "direct";
    const endpoint = { address: remote.address, port: remote.port };
    return { kind, via, remote: endpoint, localType, remoteType: remote.type, rttMs };
  }

  info(selected: boolean): IcePairInfo {
    const { via, remote, localType, state, healthy, checks, rttMs } = this;
    const endpoint = { address: remote.address, port: remote.port };
    return { via, remote: endpoint, localType, remoteType: remote.type, state, selected, healthy, checks, rttMs };
  }
}

/**
 * Orders by RFC 8445 section 6.1.2.3's priority, 2^32 MIN + 2 MAX + (G > D), without the 64 bits. Negative when `a` comes
 * first. Only the last term needs to know who controls, and it orders no two pairs of ours differently.
 */
export function byPriority(a: CandidatePair, b: CandidatePair): number {
  const low = (pair: CandidatePair): number => Math.min(pair.localPriority, pair.remote.priority);
  const high = (pair: CandidatePair): number => Math.max(pair.localPriority, pair.remote.priority);
  return low(b) - low(a) || high(b) - high(a);
}
