import { randomBytes } from "node:crypto";
import type { Endpoint } from "../net/endpoint.ts";
import { addressScope } from "../net/scope.ts";
import { TokenBucket } from "../net/token-bucket.ts";
import { type IntroductionBudget, UnansweredBudget } from "../net/unanswered-budget.ts";
import { StunAttribute, StunErrorCode, StunMethod, TRANSACTION_ID_BYTES } from "../stun/constants.ts";
import { KEEP_ALIVE_MS } from "../stun/keep-alive.ts";
import { StunMessage } from "../stun/message.ts";
import { AgentTrace } from "./agent-trace.ts";
import { DEFAULT_MAX_CANDIDATES, type IceCandidate, type LocalCandidate } from "./candidate.ts";
import { CheckCredentials, nominationOf, roleOf } from "./check-message.ts";
import { Checklist, checkPriority } from "./checklist.ts";
import type { IceCredentials } from "./credentials.ts";
import { byPriority, type CandidatePair, type RemoteCandidate } from "./pair.ts";
import { sharesNetwork } from "./remote-policy.ts";
import { CheckSchedule } from "./schedule.ts";
import { choosePair, successorOf, whyChosen } from "./selection.ts";
import { SilenceWatch } from "./silence.ts";
import { type Transaction, Transactions } from "./transactions.ts";
import type {
  IceAgentOptions,
  IceCounters,
  IceHandler,
  IcePairInfo,
  IcePath,
  IceRole,
  IceState,
  SelectionReason,
} from "./types.ts";
import { isSocket } from "./via.ts";

const DEFAULT_PACE_MS = 50;
const DEFAULT_MAX_PAIRS = 100;
/** A relayed way waits so long for a direct one before it is nominated. Packets take it meanwhile. */
const NOMINATE_RELAY_AFTER_MS = 1_000;
/** How long to wait for further candidates, unless the peer has said that there are none. */
const PATIENCE_MS = 10_000;
/** Checks of the peer that are answered: at once, and per second. */
const MAX_REQUEST_BURST = 100;
const REQUESTS_PER_SECOND = 50;

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
  readonly #trace = new AgentTrace();
  readonly #handler: IceHandler;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #checklist: Checklist;
  readonly #schedule: CheckSchedule;
  readonly #transactions: Transactions = new Transactions();
  readonly #silence: SilenceWatch = new SilenceWatch();
  readonly #requests: TokenBucket = new TokenBucket(MAX_REQUEST_BURST, REQUESTS_PER_SECOND);
  readonly #budget: IntroductionBudget;
  #credentials: CheckCredentials;
  #role: IceRole;
  #tieBreaker: bigint;
  #state: IceState = "new";
  #selected: CandidatePair | null = null;
  #why: SelectionReason = "first-answer";
  #path: IcePath | null = null;
  /** The pair that the controlling side chose. */
  #nominated: CandidatePair | null = null;
  /** Number of the last nomination, sent or received. */
  #nomination = 0;
  #relayMayBeNominatedAt: number = Number.POSITIVE_INFINITY;
  #remoteEnded = false;

  constructor(options: IceAgentOptions, handler: IceHandler) {
    const { random = randomBytes, keepAliveMs = KEEP_ALIVE_MS, paceMs = DEFAULT_PACE_MS } = options;
    this.#handler = handler;
    this.#random = random;
    this.#role = options.role;
    this.#budget = options.budget ?? new UnansweredBudget().introduction();
    this.#tieBreaker = options.tieBreaker ?? this.#newTieBreaker();
    this.#credentials = new CheckCredentials(options.local);
    this.#checklist = new Checklist({
      maxCandidates: options.maxCandidates ?? DEFAULT_MAX_CANDIDATES,
      maxPairs: options.maxPairs ?? DEFAULT_MAX_PAIRS,
      allowRemote: options.allowRemote ?? sharesNetwork,
    });
    this.#checklist.onRemoved = (pair) => this.#forget(pair);
    this.#checklist.onRefused = (candidate) => {
      const scope = addressScope(candidate.address);
      if (this.#trace.on)
        this.#trace.candidate("candidate-refused", candidate, { scope, reason: "not-on-a-shared-network" });
    };
    this.#schedule = new CheckSchedule(this.#checklist, { paceMs, keepAliveMs, random });
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
    if (this.#trace.on) this.#trace.candidate("local-candidate", candidate, { via: candidate.via });
    this.#hope(now);
    return true;
  }

  /** A way of ours that is no more. Its pairs go when it was the last of its family on this socket or relay. */
  removeLocalCandidate(candidate: LocalCandidate, now: number): boolean {
    if (this.#state === "closed") return false;
    const wasListed = this.#selected !== null && this.#checklist.has(this.#selected);
    if (!this.#checklist.removeLocal(candidate)) return false;
    if (this.#trace.on) this.#trace.candidate("local-candidate-removed", candidate, { via: candidate.via });
    if (wasListed) this.#chooseAnew(now);
    return true;
  }

  /** A socket or relay of ours is no more: all that went over it takes another way. */
  removeBase(via: string, now: number): void {
    if (this.#state === "closed") return;
    if (this.#trace.on) this.#trace.event("base-removed", { via });
    this.#checklist.removeBase(via);
    if (this.#selected?.via === via) this.#chooseAnew(now);
  }

  /** A way of the peer, at any time. @returns `false` for one that is known, or too many */
  addRemoteCandidate(candidate: IceCandidate, now: number): boolean {
    if (this.#state === "closed" || !this.#checklist.addRemote(candidate, now)) return false;
    if (this.#trace.on) this.#trace.candidate("remote-candidate", candidate);
    this.#hope(now);
    return true;
  }

  /** A way of the peer that is no more, as it says: what goes there takes another way at once. @returns `false` for one that is not known */
  removeRemoteCandidate(candidate: Endpoint, now: number): boolean {
    if (this.#state === "closed") return false;
    const wasListed = this.#selected !== null && this.#checklist.has(this.#selected);
    if (!this.#checklist.removeRemote(candidate)) return false;
    if (this.#trace.on) this.#trace.event("remote-candidate-removed", { remote: candidate });
    if (wasListed && !this.#checklist.has(this.#selected as CandidatePair)) this.#chooseAnew(now);
    return true;
  }

  /** The peer has no more candidates for now: without a path the agent may fail sooner. */
  endOfCandidates(): void {
    this.#remoteEnded = true;
  }

  setRemoteCredentials(remote: IceCredentials, now: number): void {
    if (this.#state === "closed") return;
    this.#credentials.remote = remote;
    if (this.#trace.on) this.#trace.event("remote-credentials", { role: this.#role });
    if (this.#state === "new") this.#setState("checking");
    this.#hope(now);
  }

  /** Checks everything again at once, where the network may have changed: another interface, another address. */
  networkChanged(now: number): void {
    if (this.#trace.on) this.#trace.event("network-changed");
    this.#schedule.restart(now);
    this.#hope(now);
  }

  /** Keeps pairs alive as the NAT wants it, but not more seldom than the options say. `null`: its lifetime is not known. */
  fitKeepAlive(mappingLifetimeSeconds: number | null, now: number): void {
    this.#schedule.fitKeepAlive(mappingLifetimeSeconds, now);
  }

  /**
   * Sends one check to where no candidate is, and expects nothing: it opens our translator for who answers, or meets a
   * translator of the peer's that is open for us. What comes of it begins with the peer's own check.
   * @returns false where it may not leave: the peer has never answered at this address, and the budget is spent
   */
  knock(via: string, address: string, port: number, now: number): boolean {
    if (this.#credentials.remote === null || this.#state === "closed") return false;
    const fields = { role: this.#role, tieBreaker: this.#tieBreaker, priority: checkPriority(via), nomination: null };
    const request = this.#credentials.request(fields, this.#random(TRANSACTION_ID_BYTES));
    if (!this.#budget.hasAnswered(address) && !this.#budget.take(address, request.length, now)) return false;
    this.counters.checksSent++;
    this.#handler.send(request, via, address, port);
    return true;
  }

  /** Whether the peer has answered at this address, on whatever port and whatever way: it is there, and not only named. */
  hasAnswered(address: string): boolean {
    return this.#budget.hasAnswered(address);
  }

  /** So many bytes that are no STUN message came from an address that the peer has proven. */
  heard(bytes: number): void {
    this.#budget.heard(bytes);
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
    if (this.#trace.on) this.#trace.event("restarted");
    this.#credentials = new CheckCredentials(local);
    this.#transactions.clear();
    this.#schedule.clear();
    this.#nominated = null;
    this.#remoteEnded = false;
    this.#relayMayBeNominatedAt = Number.POSITIVE_INFINITY;
    this.#checklist.clear();
    this.#hope(now);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#transactions.clear();
    this.#schedule.clear();
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
    return [...this.#checklist.pairs]
      .sort(byPriority)
      .map((pair) => (pair === this.#selected ? { ...pair.info(true), why: this.#why } : pair.info(false)));
  }

  /**
   * A datagram of the peer's, so many bytes long, that is no STUN message came from where the peer was not known to be, and something
   * else than ICE has proven that the peer wrote it: its address may have changed. A check finds out.
   */
  strayed(via: string, address: string, port: number, bytes: number, now: number): void {
    if (this.#state === "closed" || this.#credentials.remote === null) return;
    const pair = this.#checklist.observe(via, address, port, checkPriority(via), this.#selected, now);
    if (pair === null) return;
    pair.remote.unproven?.received(bytes);
    this.#heardFrom(pair, now);
    this.update(now);
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
    const selected = this.#selected;
    let next = selected === null ? Number.POSITIVE_INFINITY : Math.min(this.#silence.nextAt, selected.consentExpired);
    if (this.#nominated === null && this.#role === "controlling" && selected?.usable === true) {
      next = Math.min(next, this.#relayMayBeNominatedAt);
    }
    const patientUntil = this.#schedule.hopeAt + PATIENCE_MS;
    if (this.#state === "checking" && now < patientUntil) next = Math.min(next, patientUntil);
    for (const pair of this.#checklist.pairs) next = Math.min(next, pair.consentExpired);
    return this.#credentials.remote === null ? next : Math.min(next, this.#schedule.nextAt());
  }

  /** Does what is due: checks, and what follows from silence. */
  update(now: number): void {
    if (this.#state === "closed") return;
    if (this.#schedule.hopeAt === Number.NEGATIVE_INFINITY) this.#schedule.hopeAt = now;
    this.#transactions.expire(now);
    for (const pair of this.#checklist.pairs) this.#judge(pair, now);
    if (this.#selected !== null) this.#silence.look(this.#selected, now);
    this.#choose(now);
    this.#nominate(now);
    const pair = this.#credentials.remote === null ? undefined : this.#schedule.take(now);
    if (pair !== undefined) this.#check(pair, now);
    this.#mayFail(now);
  }

  #hope(now: number): void {
    this.#schedule.hopeAt = now;
    if (this.#state === "failed") this.#setState("checking");
  }

  /** What silence says of one pair. */
  #judge(pair: CandidatePair, now: number): void {
    if (pair.heard) {
      pair.heard = false;
      pair.heardAt = now;
      if (pair === this.#selected) this.#silence.heard(now);
    }
    if (pair.state === "succeeded") {
      if (pair.fellSilent(now, pair === this.#selected && this.#hasReserve(pair))) {
        if (this.#trace.on) this.#trace.pair("pair-silent", pair, { inUse: pair === this.#selected });
        if (pair === this.#selected) this.#schedule.checkReserve(now);
      }
      if (now < pair.consentExpired) return;
      if (this.#trace.on) this.#trace.pair("consent-expired", pair);
      this.#retract(pair);
      pair.fail();
      this.#schedule.probeLater(pair, now);
      // An address that the peer had once, and that nobody signalled.
      if (!pair.remote.signalled) this.#checklist.remove(pair);
    } else if (pair.state === "in-progress" && now >= pair.dueAt && pair.exhausted(this.#schedule.isReserve(pair))) {
      if (this.#trace.on) this.#trace.pair("pair-failed", pair, { checks: pair.checks, reason: "no-answer" });
      pair.fail();
      this.#schedule.probeLater(pair, now);
    }
  }

  /** Whether another way of the same class has answered since this one does not. */
  #hasReserve({ tier, unansweredSince }: CandidatePair): boolean {
    for (const each of this.#checklist.pairs) {
      if (each.usable && each.tier === tier && each.confirmedAt > unansweredSince) return true;
    }
    return false;
  }

  #choose(now: number): void {
    const current = this.#selected;
    let best: CandidatePair | null;
    if (this.#role === "controlled" && this.#nominated?.usable === true) {
      // For the controlling side it is still the pair that it nominated: its own address changed, which it need not know.
      this.#nominated = successorOf(this.#checklist.pairs, this.#nominated, now) ?? this.#nominated;
      best = this.#nominated;
    } else {
      // After a restart the old pair is no longer in the list, and any new one replaces it.
      const known = current !== null && this.#checklist.has(current) ? current : null;
      best = choosePair(this.#checklist.pairs, known, now);
    }
    // A silent path is better than none, until consent expires.
    if (best === null && current?.state === "succeeded" && now < current.consentExpired) best = current;
    if (best !== current) this.#use(best, now);
    else if (best !== null && this.#path !== null) this.#refresh(best, this.#path);
  }

  /** Where the pair in use has gone with its base. */
  #chooseAnew(now: number): void {
    if (this.#selected !== null && !this.#checklist.has(this.#selected)) this.#selected.fail();
    this.#choose(now);
  }

  /** The way is the same, but more may be known of it. */
  #refresh(selected: CandidatePair, path: IcePath): void {
    path.rttMs = selected.rttMs;
    if (path.localType === selected.localType && path.remoteType === selected.remote.type) return;
    this.#path = selected.path();
    if (this.#trace.on) this.#trace.path(selected, this.#why, path);
    this.#handler.selected?.(this.#path, path);
  }

  #use(pair: CandidatePair | null, now: number): void {
    const old = this.#selected;
    const previous = this.#path;
    this.#selected = pair;
    this.#path = pair?.path() ?? null;
    if (pair !== null) {
      const isListed = old !== null && this.#checklist.has(old);
      const isNominated = this.#role === "controlled" && pair === this.#nominated;
      this.#why = whyChosen(pair, old, { isListed, isNominated, now });
    }
    if (this.#trace.on) this.#trace.path(pair, this.#why, previous);
    this.counters.switches++;
    this.#schedule.select(pair, now);
    this.#silence.begin(now);
    if (old !== null && !this.#checklist.has(old)) this.#retract(old);
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
    if (this.#trace.on) this.#trace.pair("nominated", selected, { by: "us", nomination: this.#nomination });
    selected.dueAt = now;
  }

  #check(pair: CandidatePair, now: number): void {
    const role = this.#role;
    const id = this.#random(TRANSACTION_ID_BYTES);
    const nominates = role === "controlling" && pair === this.#nominated;
    const fields = {
      role,
      tieBreaker: this.#tieBreaker,
      priority: checkPriority(pair.via),
      nomination: nominates ? this.#nomination : null,
    };
    const request = this.#credentials.request(fields, id);
    const isFirst = pair.checks === 0;
    const withheld = !this.#mayAsk(pair.remote, request.length, now);
    this.#schedule.sent(pair, now, withheld);
    if (withheld) return;
    if (this.#trace.on && isFirst) this.#trace.pair("pair-checked", pair);
    this.#transactions.add(id, { pair, sentAt: now, role });
    this.counters.checksSent++;
    this.#handler.send(request, pair.via, pair.address, pair.port);
  }

  /** Whether a check may leave: to who has answered, in return for what came, or else from the budget. */
  #mayAsk(remote: RemoteCandidate, bytes: number, now: number): boolean {
    if (remote.unproven === undefined || remote.unproven.take(bytes)) return true;
    if (remote.asked >= remote.mayAsk || !this.#budget.take(remote.address, bytes, now)) return false;
    remote.asked++;
    return true;
  }

  #mayFail(now: number): void {
    if (this.#state !== "checking") return;
    for (const { state } of this.#checklist.pairs) if (state !== "failed") return;
    if ((this.#remoteEnded && this.#checklist.size > 0) || now - this.#schedule.hopeAt >= PATIENCE_MS)
      this.#setState("failed");
  }

  #receiveRequest(message: StunMessage, via: string, address: string, port: number, now: number): boolean {
    // No answer to what is not the peer's, not even a 401: who forges a source shall have nothing of it.
    if (!this.#credentials.acceptsRequest(message) || !this.#requests.take(now)) return false;
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
    if (pair.remote.unproven === undefined) this.#budget.heard(message.bytes);
    pair.remote.unproven?.received(message.bytes);
    pair.remote.unproven?.take(answer.length);
    const nomination = nominationOf(message);
    if (nomination !== null && this.#role === "controlled") this.#nominatedByPeer(pair, nomination);
    this.#heardFrom(pair, now);
    return true;
  }

  /** The peer's packet came this way: a check of ours finds out whether the peer is there. */
  #heardFrom(pair: CandidatePair, now: number): void {
    pair.heardAt = now;
    if (!pair.announced) this.#handler.sourceHeard?.(pair);
    // Is the old address still there? Asked at once, so that the answer decides between the two.
    const selected = this.#selected;
    if (!pair.remote.signalled && pair.state === "waiting" && selected?.unanswered === 0) this.#check(selected, now);
    this.#schedule.trigger(pair, now);
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
    if (this.#trace.on) this.#trace.event("role-switched", { role: this.#role });
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
    if (this.#trace.on && pair !== this.#nominated && pair.nominated === null) {
      this.#trace.pair("nominated", pair, { by: "peer", nomination });
    }
    if (pair.state === "succeeded") this.#nominated = pair;
    else pair.nominated = nomination;
  }

  #receiveResponse(message: StunMessage, via: string, address: string, port: number, now: number): boolean {
    const accepts = (): boolean => this.#credentials.acceptsResponse(message);
    const transaction = this.#transactions.take(message, via, address, port, accepts);
    if (transaction === undefined) return false;
    const { pair, sentAt } = transaction;
    if (message.class === "error") {
      if (message.errorCode()?.code === StunErrorCode.ROLE_CONFLICT) this.#roleRefused(transaction, now);
      return true;
    }
    const mapped = message.xorAddress(StunAttribute.XOR_MAPPED_ADDRESS);
    if (mapped === null || !this.#checklist.has(pair)) return false;
    this.counters.responsesReceived++;
    if (isSocket(via)) pair.localType = this.#checklist.typeOfOurs(mapped);
    const known = pair.usable;
    pair.confirm(sentAt, now);
    if (this.#trace.on && !known) {
      const { localType, rttMs, checks } = pair;
      this.#trace.pair("pair-answered", pair, { localType, rttMs, checks });
    }
    pair.remote.unproven = undefined;
    this.#budget.answered(pair.address, now);
    if (this.#role === "controlled" && pair.nominated === this.#nomination) this.#nominated = pair;
    pair.nominated = null;
    this.#schedule.answered(pair, now);
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
    this.#schedule.enqueue(pair);
  }

  /** A pair has left the list. */
  #forget(pair: CandidatePair): void {
    if (pair === this.#nominated) this.#nominated = null;
    // What is in use stays in use after a restart; the end of its relay or address ends it by `choose`.
    if (pair !== this.#selected) this.#retract(pair);
  }

  #retract(pair: CandidatePair): void {
    if (!pair.announced && pair.heardAt === Number.NEGATIVE_INFINITY) return;
    pair.announced = false;
    pair.heardAt = Number.NEGATIVE_INFINITY;
    this.#handler.sourceRemoved?.(pair);
  }

  #newTieBreaker(): bigint {
    return Buffer.from(this.#random(8)).readBigUInt64BE();
  }

  #setState(state: IceState): void {
    if (state === this.#state) return;
    if (this.#trace.on) this.#trace.event("state", { state, was: this.#state });
    this.#state = state;
    this.#handler.stateChanged?.(state);
  }
}
