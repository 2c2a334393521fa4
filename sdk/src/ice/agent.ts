import { randomBytes } from "node:crypto";

import { StunAttribute, StunErrorCode, StunMethod, TRANSACTION_ID_BYTES } from "../stun/constants.ts";
import { StunMessage } from "../stun/message.ts";
import { DEFAULT_MAX_CANDIDATES, type IceCandidate, type LocalCandidate } from "./candidate.ts";
import { CheckCredentials, nominationOf, roleOf } from "./check-message.ts";
import { Checklist, checkPriority } from "./checklist.ts";
import type { IceCredentials } from "./credentials.ts";
import { byPriority, type CandidatePair } from "./pair.ts";
import { sharesNetwork } from "./remote-policy.ts";
import { choosePair } from "./selection.ts";
import {
  type IceAgentOptions,
  type IceCounters,
  type IceHandler,
  type IcePairInfo,
  type IcePath,
  type IceRole,
  type IceState,
  SOCKET,
} from "./types.ts";

const DEFAULT_KEEP_ALIVE_MS = 15_000;
const DEFAULT_PACE_MS = 50;
/** The first checks decide how long a player waits; RFC 8445 section 14.2 allows 5 ms. */
const FAST_PACE_MS = 20;
const FAST_CHECKS = 12;
/** RFC 7675 section 5.1, of which 80 to 120 % are taken. */
const CONSENT_INTERVAL_MS = 5_000;
/** How long an answer is waited for. */
const TRANSACTION_MS = 8_000;
const MAX_TRANSACTIONS = 256;
/** A relayed way waits so long for a direct one before it is nominated. Packets take it meanwhile. */
const NOMINATE_RELAY_AFTER_MS = 1_000;
/** How often pairs that failed are tried again: better ones than a relay, others better than the one in use, the rest. */
const UPGRADE_PROBE_MS = 4_000;
const BETTER_PROBE_MS = 15_000;
const RESERVE_PROBE_MS = 30_000;
/** … and all of them, when there is no path: at first, and after two minutes. */
const LOST_PROBE_MS = 5_000;
const LOST_MS = 120_000;
/** Failed pairs that are tried again. */
const MAX_PROBED = 16;
/** Silence after packets that leads to a check at once. */
const QUIET_MS = 500;
const IDLE_TICK_MS = 2_000;
/** How long to wait for further candidates, unless the peer has said that there are none. */
const PATIENCE_MS = 10_000;
/** Two checks of one pair that are triggered by the peer's follow one another no faster. */
const TRIGGER_GAP_MS = 20;
/** Checks that are answered: at once, and per second. */
const MAX_REQUEST_BURST = 100;
const REQUESTS_PER_SECOND = 50;

interface Transaction {
  readonly pair: CandidatePair;
  readonly sentAt: number;
  readonly role: IceRole;
}

/**
 * An ICE agent (RFC 8445, full implementation) for one peer and one component, without I/O: it is told of candidates, of
 * STUN messages and of the time, and says what to send and which way packets go.
 *
 * Beyond the RFC, since a game cannot wait: the first pair that works carries packets at once; the controlling side goes on
 * nominating better pairs as they come to work; a pair in use that falls silent gives way to another within about two
 * seconds, long before consent (RFC 7675) expires; a peer's new address is taken over as soon as its credentials and an
 * answer have proven it.
 *
 * After each call, call {@link update} again when {@link nextUpdate} says. All times in milliseconds of one monotonic clock.
 */
export class IceAgent {
  readonly counters: IceCounters = {
    checksSent: 0,
    responsesReceived: 0,
    checksReceived: 0,
    responsesSent: 0,
    dropped: 0,
    switches: 0,
  };
  readonly #handler: IceHandler;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #keepAliveMs: number;
  readonly #paceMs: number;
  readonly #checklist: Checklist;
  readonly #transactions: Map<string, Transaction> = new Map();
  #credentials: CheckCredentials;
  #role: IceRole;
  #tieBreaker: bigint;
  #state: IceState = "new";
  #triggered: CandidatePair[] = [];
  #selected: CandidatePair | null = null;
  #path: IcePath | null = null;
  /** The pair that the controlling side chose. */
  #nominated: CandidatePair | null = null;
  /** Number of the last nomination, sent or received. */
  #nomination = 0;
  #relayMayBeNominatedAt = Number.POSITIVE_INFINITY;
  #nextSlot = Number.NEGATIVE_INFINITY;
  #fastChecks = FAST_CHECKS;
  #quietCheckAt = Number.POSITIVE_INFINITY;
  #talking = false;
  #remoteEnded = false;
  /** When there was last a path, or a new reason to hope for one. */
  #hopeAt = Number.NEGATIVE_INFINITY;
  #requestTokens = MAX_REQUEST_BURST;
  #tokensAt = Number.NEGATIVE_INFINITY;

  constructor(options: IceAgentOptions, handler: IceHandler) {
    this.#handler = handler;
    this.#random = options.random ?? randomBytes;
    this.#role = options.role;
    this.#tieBreaker = options.tieBreaker ?? this.#newTieBreaker();
    this.#keepAliveMs = options.keepAliveMs ?? DEFAULT_KEEP_ALIVE_MS;
    this.#paceMs = options.paceMs ?? DEFAULT_PACE_MS;
    this.#credentials = new CheckCredentials(options.local);
    this.#checklist = new Checklist({
      maxCandidates: options.maxCandidates ?? DEFAULT_MAX_CANDIDATES,
      maxPairs: options.maxPairs ?? 100,
      allowRemote: options.allowRemote ?? sharesNetwork,
    });
    this.#checklist.onRemoved = (pair) => this.#forget(pair);
    if (options.remote !== undefined) {
      this.#credentials.remote = options.remote;
      this.#state = "checking";
    }
  }

  get role(): IceRole {
    return this.#role;
  }

  get state(): IceState {
    return this.#state;
  }

  /** The way that packets go; `null` before the first pair works and after consent to the last has expired. */
  get path(): IcePath | null {
    return this.#path;
  }

  get localCredentials(): IceCredentials {
    return this.#credentials.local;
  }

  get localCandidates(): readonly LocalCandidate[] {
    return this.#checklist.locals;
  }

  /** A way of ours, at any time (RFC 8838). @returns `false` for one that is known, or too many */
  addLocalCandidate(candidate: LocalCandidate, now: number): boolean {
    if (this.#state === "closed" || !this.#checklist.addLocal(candidate, now)) return false;
    this.#hope(now);
    return true;
  }

  /** A way of ours that is no more. Its pairs go when it was the last of its family on this socket or relay. */
  removeLocalCandidate(candidate: LocalCandidate, now: number): boolean {
    if (this.#state === "closed" || !this.#checklist.removeLocal(candidate)) return false;
    if (this.#selected !== null && !this.#checklist.has(this.#selected)) this.#selected.fail();
    this.#choose(now);
    return true;
  }

  /** A way of the peer, at any time. @returns `false` for one that is known, or too many */
  addRemoteCandidate(candidate: IceCandidate, now: number): boolean {
    if (this.#state === "closed" || !this.#checklist.addRemote(candidate, now)) return false;
    this.#hope(now);
    return true;
  }

  /** The peer has no more candidates for now: without a path the agent may fail sooner. */
  endOfCandidates(): void {
    this.#remoteEnded = true;
  }

  setRemoteCredentials(remote: IceCredentials, now: number): void {
    if (this.#state === "closed") return;
    this.#credentials.remote = remote;
    if (this.#state === "new") this.#setState("checking");
    this.#hope(now);
  }

  /** Checks everything again at once, where the network may have changed: another interface, another address. */
  networkChanged(now: number): void {
    for (const pair of this.#checklist.pairs) pair.restart(now);
    this.#fastChecks = FAST_CHECKS;
    this.#hope(now);
  }

  /** Checks the path in use at once, where something else has reason to doubt it. */
  probe(now: number): void {
    if (this.#selected !== null) this.#selected.dueAt = Math.min(this.#selected.dueAt, now);
  }

  /**
   * ICE restart (RFC 8445 section 9): new credentials; the peer's new ones and its candidates must follow. Packets keep
   * their way until a new one works, or consent expires.
   */
  restart(local: IceCredentials, now: number): void {
    if (this.#state === "closed") return;
    this.#credentials = new CheckCredentials(local);
    this.#transactions.clear();
    this.#triggered = [];
    this.#nominated = null;
    this.#remoteEnded = false;
    this.#relayMayBeNominatedAt = Number.POSITIVE_INFINITY;
    this.#checklist.clear();
    this.#hope(now);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#transactions.clear();
    this.#triggered = [];
    const selected = this.#selected;
    this.#selected = null;
    this.#checklist.clear();
    if (selected !== null) this.#retract(selected);
    this.#path = null;
    this.#setState("closed");
  }

  /** Whether packets from this address are the peer's. */
  isRemote(via: string, address: string, port: number): boolean {
    const selected = this.#selected;
    if (selected?.via === via && selected.address === address && selected.port === port) return true;
    return this.#checklist.get(via, address, port)?.state === "succeeded";
  }

  /** For diagnosis, best first. */
  pairs(): IcePairInfo[] {
    return [...this.#checklist.pairs].sort(byPriority).map((pair) => pair.info(pair === this.#selected));
  }

  /**
   * One STUN message that came in. Never throws.
   * @returns `true` when it is the peer's; all else is somebody else's or forged, and changes nothing
   */
  receive(data: StunMessage | Uint8Array, via: string, address: string, port: number, now: number): boolean {
    if (this.#state === "closed") return false;
    const message = data instanceof StunMessage ? data : StunMessage.decode(data);
    if (message === null || message.method !== StunMethod.BINDING) return false;
    if (message.class === "indication") return false;
    const accepted =
      message.class === "request"
        ? this.#receiveRequest(message, via, address, port, now)
        : this.#receiveResponse(message, via, address, port, now);
    if (accepted) this.update(now);
    else this.counters.dropped++;
    return accepted;
  }

  /** When {@link update} has something to do, in ms; Infinity for never. */
  nextUpdate(now: number): number {
    if (this.#state === "closed") return Number.POSITIVE_INFINITY;
    let next = this.#selected === null ? Number.POSITIVE_INFINITY : this.#quietCheckAt;
    if (this.#nominated === null && this.#role === "controlling" && this.#selected?.usable === true) {
      next = Math.min(next, this.#relayMayBeNominatedAt);
    }
    if (this.#state === "checking" && now < this.#hopeAt + PATIENCE_MS) next = Math.min(next, this.#hopeAt + PATIENCE_MS);
    if (this.#selected !== null) next = Math.min(next, this.#selected.consentExpired);
    if (this.#credentials.remote === null) return next;
    if (this.#triggered.length > 0) return Math.min(next, this.#nextSlot);
    for (const pair of this.#checklist.pairs) {
      next = Math.min(next, Math.max(pair.dueAt, this.#nextSlot), pair.consentExpired);
    }
    return next;
  }

  /** Does what is due: checks, and what follows from silence. */
  update(now: number): void {
    if (this.#state === "closed") return;
    if (this.#hopeAt === Number.NEGATIVE_INFINITY) this.#hopeAt = now;
    for (const [key, { sentAt }] of this.#transactions) {
      if (now - sentAt < TRANSACTION_MS) break;
      this.#transactions.delete(key);
    }
    for (const pair of this.#checklist.pairs) this.#judge(pair, now);
    this.#listenForSilence(now);
    this.#choose(now);
    this.#nominate(now);
    this.#sendDue(now);
    this.#mayFail(now);
  }

  #hope(now: number): void {
    this.#hopeAt = now;
    if (this.#state === "failed") this.#setState("checking");
  }

  /** What silence says of one pair. */
  #judge(pair: CandidatePair, now: number): void {
    if (pair.heard) {
      pair.heard = false;
      pair.heardAt = now;
      if (pair === this.#selected) this.#heardSelected(now);
    }
    if (pair.state === "succeeded") {
      if (pair.fellSilent(now) && pair === this.#selected) this.#checkReserve(now);
      if (now < pair.consentExpired) return;
      this.#retract(pair);
      pair.fail();
      pair.dueAt = now + this.#probePause(pair, now);
      // An address that the peer had once, and that nobody signalled.
      if (!pair.remote.signalled) this.#checklist.remove(pair);
    } else if (pair.state === "in-progress" && now >= pair.dueAt && pair.exhausted(this.#isReserve(pair))) {
      pair.fail();
      pair.dueAt = now + this.#probePause(pair, now);
    }
  }

  #heardSelected(now: number): void {
    this.#talking = true;
    this.#quietCheckAt = now + QUIET_MS;
  }

  /** Packets came until now, and then none: it may be the peer's silence, or the path's. */
  #listenForSilence(now: number): void {
    const selected = this.#selected;
    if (selected === null || now < this.#quietCheckAt) return;
    if (this.#talking && now - selected.heardAt >= QUIET_MS) {
      this.#talking = false;
      if (selected.unanswered === 0) selected.dueAt = now;
    }
    this.#quietCheckAt = now + (this.#talking ? QUIET_MS : IDLE_TICK_MS);
  }

  /** Asks the other ways whether they still work, before one of them is needed. */
  #checkReserve(now: number): void {
    for (const pair of this.#checklist.pairs) {
      if (pair !== this.#selected && pair.state === "succeeded" && pair.unanswered === 0) pair.dueAt = now;
    }
  }

  #choose(now: number): void {
    const current = this.#selected;
    let best: CandidatePair | null;
    if (this.#role === "controlled" && this.#nominated?.usable === true) {
      best = this.#nominated;
    } else {
      // After a restart the old pair is no longer in the list, and any new one replaces it.
      const known = current !== null && this.#checklist.has(current) ? current : null;
      best = choosePair(this.#checklist.pairs, known, now);
    }
    // A silent path is better than none, until consent expires.
    if (best === null && current !== null && now < current.consentExpired && current.state === "succeeded") best = current;
    if (best !== current) this.#use(best, now);
    else if (best !== null && this.#path !== null) this.#refresh(best, this.#path);
  }

  /** The way is the same, but more may be known of it. */
  #refresh({ rttMs, localType, remote }: CandidatePair, path: IcePath): void {
    path.rttMs = rttMs;
    if (path.localType === localType && path.remoteType === remote.type) return;
    this.#path = this.#selected?.path() ?? null;
    this.#handler.selected?.(this.#path, path);
  }

  #use(pair: CandidatePair | null, now: number): void {
    const old = this.#selected;
    const previous = this.#path;
    this.#selected = pair;
    this.#path = pair?.path() ?? null;
    this.counters.switches++;
    this.#hopeAt = now;
    this.#quietCheckAt = now + QUIET_MS;
    this.#talking = false;
    if (pair !== null) pair.dueAt = Math.min(pair.dueAt, now + this.#consentPause());
    if (old !== null && !this.#checklist.has(old)) this.#retract(old);
    for (const each of this.#checklist.pairs) {
      if (pair === null) each.restart(now);
      else if (each.state === "failed") each.dueAt = Math.min(each.dueAt, now + this.#probePause(each, now));
    }
    this.#handler.selected?.(this.#path, previous);
    if (this.#state === "closed" || this.#selected !== pair) return;
    this.#setState(pair === null ? "failed" : "connected");
  }

  /** Controlling: says which pair is chosen, and repeats it with each check of that pair. */
  #nominate(now: number): void {
    const selected = this.#selected;
    if (this.#role !== "controlling" || selected === null || selected === this.#nominated || !selected.usable) return;
    if (selected.tier >= 2 && this.#nominated === null) {
      this.#relayMayBeNominatedAt = Math.min(this.#relayMayBeNominatedAt, now + NOMINATE_RELAY_AFTER_MS);
      if (now < this.#relayMayBeNominatedAt) return;
    }
    this.#nominated = selected;
    this.#nomination = (this.#nomination + 1) % 2 ** 24;
    selected.dueAt = now;
  }

  #sendDue(now: number): void {
    if (this.#credentials.remote === null || now < this.#nextSlot) return;
    const pair = this.#nextPair(now);
    if (pair === undefined) return;
    const pace = this.#fastChecks-- > 0 ? Math.min(FAST_PACE_MS, this.#paceMs) : this.#paceMs;
    this.#nextSlot = now + pace;
    this.#check(pair, now);
  }

  /** Triggered checks first (RFC 8445 section 6.1.4.2), then the path in use, then whoever has waited longest. */
  #nextPair(now: number): CandidatePair | undefined {
    for (let pair = this.#triggered.shift(); pair !== undefined; pair = this.#triggered.shift()) {
      if (this.#checklist.has(pair)) return pair;
    }
    const selected = this.#selected;
    if (selected !== null && selected.dueAt <= now && this.#checklist.has(selected)) return selected;
    let next: CandidatePair | undefined;
    for (const pair of this.#checklist.pairs) {
      if (pair.dueAt > now) continue;
      if (pair.state === "failed" && !this.#isProbed(pair)) pair.dueAt = now + RESERVE_PROBE_MS;
      else if (next === undefined || (pair.dueAt - next.dueAt || byPriority(pair, next)) < 0) next = pair;
    }
    return next;
  }

  #check(pair: CandidatePair, now: number): void {
    const role = this.#role;
    const id = this.#random(TRANSACTION_ID_BYTES);
    const nominates = role === "controlling" && pair === this.#nominated;
    const request = this.#credentials.request(
      {
        role,
        tieBreaker: this.#tieBreaker,
        priority: checkPriority(pair.via),
        nomination: nominates ? this.#nomination : null,
      },
      id,
    );
    if (this.#transactions.size >= MAX_TRANSACTIONS) {
      for (const oldest of this.#transactions.keys()) {
        this.#transactions.delete(oldest);
        break;
      }
    }
    this.#transactions.set(Buffer.from(id).toString("latin1"), { pair, sentAt: now, role });
    const failed = pair.state === "failed";
    pair.sent(now, this.#isReserve(pair));
    if (failed) pair.dueAt = now + this.#probePause(pair, now);
    if (pair === this.#selected && pair.unanswered === 2) this.#checkReserve(now);
    this.counters.checksSent++;
    this.#handler.send(request, pair.via, pair.address, pair.port);
  }

  /** Whether the path in use is as good as this pair would be. */
  #isReserve(pair: CandidatePair): boolean {
    return this.#selected !== null && pair !== this.#selected && pair.tier >= this.#selected.tier;
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
    const selected = this.#selected;
    let pause: number;
    if (selected === null) pause = now - this.#hopeAt < LOST_MS ? LOST_PROBE_MS : RESERVE_PROBE_MS;
    else if (pair.tier >= selected.tier) pause = RESERVE_PROBE_MS;
    else pause = selected.tier >= 2 ? UPGRADE_PROBE_MS : BETTER_PROBE_MS;
    return pause * this.#jitter(0.9, 1.1);
  }

  #consentPause(): number {
    return Math.min(CONSENT_INTERVAL_MS, this.#keepAliveMs) * this.#jitter(0.8, 1.2);
  }

  #jitter(from: number, to: number): number {
    return from + ((to - from) * (this.#random(1)[0] ?? 0)) / 255;
  }

  #mayFail(now: number): void {
    if (this.#state !== "checking") return;
    for (const { state } of this.#checklist.pairs) if (state !== "failed") return;
    if ((this.#remoteEnded && this.#checklist.size > 0) || now - this.#hopeAt >= PATIENCE_MS) this.#setState("failed");
  }

  #receiveRequest(message: StunMessage, via: string, address: string, port: number, now: number): boolean {
    // No answer to what is not the peer's, not even a 401: who forges a source shall have nothing of it.
    if (!this.#credentials.acceptsRequest(message) || !this.#takeToken(now)) return false;
    this.counters.checksReceived++;
    const refusal = this.#credentials.unknownAttributes(message) ?? this.#repairRoles(message, now);
    const answer = refusal ?? this.#credentials.success(message, { address, port });
    this.counters.responsesSent++;
    this.#handler.send(answer, via, address, port);
    if (refusal !== null) return true;
    const priority = message.uint32(StunAttribute.PRIORITY);
    if (priority === undefined) return true;
    const pair = this.#checklist.observe(via, address, port, priority, this.#selected, now);
    if (pair === null) return true;
    pair.heardAt = now;
    const nomination = nominationOf(message);
    if (nomination !== null && this.#role === "controlled") this.#nominatedByPeer(pair, nomination);
    // Is the old address still there? Asked at once, so that the answer decides between the two.
    const selected = this.#selected;
    if (!pair.remote.signalled && pair.state === "waiting" && selected?.unanswered === 0) this.#check(selected, now);
    this.#trigger(pair, now);
    return true;
  }

  /** RFC 8445 section 7.3.1.1. @returns an answer 487, or `null` when all is well now */
  #repairRoles(message: StunMessage, now: number): Buffer | null {
    const theirs = roleOf(message);
    if (theirs === null || theirs.role !== this.#role) return null;
    const weWin = this.#tieBreaker >= theirs.tieBreaker;
    if (weWin === (this.#role === "controlling")) return this.#credentials.roleConflict(message);
    this.#switchRole(now);
    return null;
  }

  #switchRole(now: number): void {
    this.#role = this.#role === "controlling" ? "controlled" : "controlling";
    this.#nominated = null;
    this.#nomination = 0;
    this.#choose(now);
  }

  /** Controlled: a check with USE-CANDIDATE. Its pair counts once our own check has succeeded as well. */
  #nominatedByPeer(pair: CandidatePair, nomination: number): void {
    if (nomination !== 0) {
      // Modulo 2^24, as one that was overtaken by a later one is a little smaller.
      const ahead = (nomination - this.#nomination + 2 ** 24) % 2 ** 24;
      if (this.#nomination !== 0 && ahead >= 2 ** 23) return;
      this.#nomination = nomination;
    }
    if (pair.state === "succeeded") this.#nominated = pair;
    else pair.nominated = nomination;
  }

  /** RFC 8445 section 7.3.1.4. */
  #trigger(pair: CandidatePair, now: number): void {
    if (pair.usable && pair.unanswered === 0) return;
    if (pair.state === "failed") pair.restart(now);
    if (now - pair.sentAt < TRIGGER_GAP_MS || this.#triggered.includes(pair)) return;
    this.#triggered.push(pair);
  }

  #receiveResponse(message: StunMessage, via: string, address: string, port: number, now: number): boolean {
    const key = message.transactionKey;
    const transaction = this.#transactions.get(key);
    if (transaction === undefined) return false;
    const { pair, sentAt } = transaction;
    // Section 7.2.5.2.1: only from where the check went. The transaction stays: a forger must not be able to end it.
    if (pair.via !== via || pair.address !== address || pair.port !== port) return false;
    if (!this.#credentials.acceptsResponse(message)) return false;
    this.#transactions.delete(key);
    if (message.class === "error") {
      if (message.errorCode()?.code === StunErrorCode.ROLE_CONFLICT) this.#roleRefused(transaction, now);
      return true;
    }
    const mapped = message.xorAddress(StunAttribute.XOR_MAPPED_ADDRESS);
    if (mapped === null || !this.#checklist.has(pair)) return false;
    this.counters.responsesReceived++;
    if (via === SOCKET) pair.localType = this.#typeOfOurs(mapped.address, mapped.port);
    pair.confirm(sentAt, now);
    if (pair.nominated !== null) {
      if (this.#role === "controlled" && pair.nominated === this.#nomination) this.#nominated = pair;
      pair.nominated = null;
    }
    pair.dueAt =
      now + (pair === this.#selected ? this.#consentPause() : this.#keepAliveMs * this.#jitter(0.8, 1));
    if (!pair.announced) {
      pair.announced = true;
      this.#handler.sourceAdded?.(pair);
    }
    return true;
  }

  /** RFC 8445 section 7.2.5.1. */
  #roleRefused({ pair, role }: Transaction, now: number): void {
    if (role === this.#role) {
      this.#switchRole(now);
      this.#tieBreaker = this.#newTieBreaker();
    }
    if (!this.#triggered.includes(pair)) this.#triggered.push(pair);
  }

  #typeOfOurs(address: string, port: number): CandidatePair["localType"] {
    let type: CandidatePair["localType"] = "peer-reflexive";
    let priority = 0;
    for (const each of this.#checklist.locals) {
      if (each.via !== SOCKET || each.address !== address || each.port !== port || each.priority <= priority) continue;
      ({ type, priority } = each);
    }
    return type;
  }

  #takeToken(now: number): boolean {
    const earned = ((now - this.#tokensAt) * REQUESTS_PER_SECOND) / 1000;
    this.#requestTokens = Math.min(MAX_REQUEST_BURST, this.#requestTokens + earned);
    this.#tokensAt = now;
    if (this.#requestTokens < 1) return false;
    this.#requestTokens--;
    return true;
  }

  /** A pair has left the list. */
  #forget(pair: CandidatePair): void {
    if (pair === this.#nominated) this.#nominated = null;
    // What is in use stays in use after a restart; the end of its relay or address ends it by `choose`.
    if (pair !== this.#selected) this.#retract(pair);
  }

  #retract(pair: CandidatePair): void {
    if (!pair.announced) return;
    pair.announced = false;
    this.#handler.sourceRemoved?.(pair);
  }

  #newTieBreaker(): bigint {
    return Buffer.from(this.#random(8)).readBigUInt64BE();
  }

  #setState(state: IceState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#handler.stateChanged?.(state);
  }
}
