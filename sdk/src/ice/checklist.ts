import type { Endpoint } from "../net/endpoint.ts";
import { addressScope } from "../net/scope.ts";
import { UnprovenAddress } from "../net/unproven-address.ts";
import {
  type CandidateType,
  candidatePriority,
  type IceCandidate,
  type LocalCandidate,
  localPreferenceOf,
} from "./candidate.ts";
import { byPriority, CandidatePair, type RemoteCandidate } from "./pair.ts";
import { FEW_CHECKS } from "./remote-policy.ts";
import type { RemoteContext, RemoteVerdict } from "./types.ts";
import { isSocket, SOCKET } from "./via.ts";

/** Addresses of the peer that checks brought to light and that are not proven yet, or are old ones of a peer that moves. */
const MAX_PEER_REFLEXIVE = 8;

export interface ChecklistOptions {
  readonly maxCandidates: number;
  readonly maxPairs: number;
  readonly allowRemote: (candidate: IceCandidate, context: RemoteContext) => RemoteVerdict;
}

/** From where checks to one family of addresses leave. */
interface Base {
  readonly via: string;
  readonly ipv6: boolean;
  priority: number;
  /** What a relay is seen as; the socket's own address need not be known. */
  address: string;
}

/**
 * Candidates of both sides, and the pairs that they make (RFC 8445 section 6.1.2). No pair is frozen: with a single
 * component there is nothing to learn from another pair of the same foundation.
 */
export class Checklist {
  readonly locals: LocalCandidate[] = [];
  readonly remotes: RemoteCandidate[] = [];
  /** Called for a pair that is no more, whatever it was used for. */
  onRemoved: ((pair: CandidatePair) => void) | null = null;
  /** Called once for a candidate of the peer that is not tried, as far as is known now. */
  onRefused: ((candidate: IceCandidate) => void) | null = null;
  readonly #options: ChecklistOptions;
  readonly #pairs: Map<string, CandidatePair> = new Map();
  readonly #refused: WeakSet<RemoteCandidate> = new WeakSet();

  constructor(options: ChecklistOptions) {
    this.#options = options;
  }

  get pairs(): Iterable<CandidatePair> {
    return this.#pairs.values();
  }

  get size(): number {
    return this.#pairs.size;
  }

  get(via: string, address: string, port: number): CandidatePair | undefined {
    return this.#pairs.get(keyOf(via, address, port));
  }

  has(pair: CandidatePair): boolean {
    return this.get(pair.via, pair.address, pair.port) === pair;
  }

  /** @returns `false` for one that is known or too many */
  addLocal(candidate: LocalCandidate, now: number): boolean {
    const known = this.locals.some((each) => each.type === candidate.type && isAt(each, candidate));
    if (known || this.locals.length >= this.#options.maxCandidates) return false;
    this.locals.push(candidate);
    this.#pairUp(now);
    return true;
  }

  removeLocal(candidate: LocalCandidate): boolean {
    const index = this.locals.findIndex((each) => each.type === candidate.type && isAt(each, candidate));
    if (index < 0) return false;
    this.locals.splice(index, 1);
    const { via } = candidate;
    const ipv6 = candidate.address.includes(":");
    if (this.#bases().some((base) => base.via === via && base.ipv6 === ipv6)) return true;
    for (const pair of this.#pairs.values()) {
      if (pair.via === via && pair.address.includes(":") === ipv6) this.remove(pair);
    }
    return true;
  }

  /** A socket or relay is no more. */
  removeBase(via: string): void {
    for (let i = this.locals.length - 1; i >= 0; i--) if (this.locals[i]?.via === via) this.locals.splice(i, 1);
    for (const pair of this.#pairs.values()) if (pair.via === via) this.remove(pair);
  }

  /** @returns `false` for one that is known or too many; refused ones are kept, as they may be allowed later */
  addRemote(candidate: IceCandidate, now: number): boolean {
    const known = this.remotes.find(({ address, port }) => address === candidate.address && port === candidate.port);
    if (known?.signalled === true && known.priority >= candidate.priority) return false;
    const { foundAt, unproven, asked } = known ?? { foundAt: now, unproven: new UnprovenAddress(), asked: 0 };
    const signalled = { ...candidate, signalled: true, foundAt, unproven, mayAsk: 0, asked };
    if (known !== undefined) {
      this.remotes[this.remotes.indexOf(known)] = signalled;
      for (const pair of this.#pairs.values()) if (pair.remote === known) pair.remote = signalled;
    } else {
      const count = this.remotes.filter((each) => each.signalled).length;
      if (count >= this.#options.maxCandidates) return false;
      this.remotes.push(signalled);
    }
    this.#pairUp(now);
    return true;
  }

  /** A candidate of the peer is no more. @returns whether it was known */
  removeRemote({ address, port }: Endpoint): boolean {
    const remote = this.remotes.find((each) => each.address === address && each.port === port);
    if (remote === undefined) return false;
    this.remotes.splice(this.remotes.indexOf(remote), 1);
    for (const pair of this.#pairs.values()) if (pair.remote === remote) this.remove(pair);
    return true;
  }

  /**
   * The pair on which a check of the peer came in, made where there is none: the source is a peer-reflexive candidate
   * then (RFC 8445 section 7.3.1.3). `null` when there are too many.
   * @param inUse a pair that must not make room
   */
  observe(
    via: string,
    address: string,
    port: number,
    priority: number,
    inUse: CandidatePair | null,
    now: number,
  ): CandidatePair | null {
    const pair = this.get(via, address, port);
    if (pair !== undefined) return pair;
    let remote = this.remotes.find((each) => each.address === address && each.port === port);
    if (remote === undefined) {
      if (!this.#makeRoom(inUse)) return null;
      // A relay's own checks say so by a preference of 0 (see checkPriority): TURN is not mistaken for a direct way.
      const type = localPreferenceOf(priority) === 0 ? "relayed" : "peer-reflexive";
      const unproven = new UnprovenAddress();
      const found = { signalled: false, foundAt: now, unproven, mayAsk: 0, asked: 0 };
      remote = { type, address, port, priority, foundation: "", ...found };
      this.remotes.push(remote);
    }
    const ipv6 = address.includes(":");
    const base = this.#bases().find((each) => each.via === via && each.ipv6 === ipv6);
    const basePriority = base?.priority ?? candidatePriority(isSocket(via) ? "host" : "relayed");
    return this.#add(new CandidatePair(via, remote, basePriority, localTypeOf(via), now));
  }

  /** Which of our candidates the peer sees, when it sees this address. */
  typeOfOurs({ address, port }: Endpoint): CandidateType {
    let type: CandidateType = "peer-reflexive";
    let priority = 0;
    for (const each of this.locals) {
      if (each.via !== SOCKET || each.address !== address || each.port !== port || each.priority <= priority) continue;
      ({ type, priority } = each);
    }
    return type;
  }

  /** Forgets a pair, and its remote candidate where nobody signalled that. */
  remove(pair: CandidatePair): void {
    if (!this.#pairs.delete(keyOf(pair.via, pair.address, pair.port))) return;
    this.onRemoved?.(pair);
    if (pair.remote.signalled) return;
    for (const each of this.#pairs.values()) if (each.remote === pair.remote) return;
    const index = this.remotes.indexOf(pair.remote);
    if (index >= 0) this.remotes.splice(index, 1);
  }

  /** Forgets the peer's candidates and all pairs; ours stay. */
  clear(): void {
    for (const pair of this.#pairs.values()) this.remove(pair);
    this.remotes.length = 0;
  }

  /** Of all pairs that are allowed and missing. */
  #pairUp(now: number): void {
    const bases = this.#bases();
    const context = { local: this.locals, remote: this.remotes };
    for (const remote of this.remotes) {
      const ipv6 = remote.address.includes(":");
      if (remote.signalled) {
        const verdict = this.#options.allowRemote(remote, context);
        remote.mayAsk = verdict === "few" ? FEW_CHECKS : verdict ? Number.POSITIVE_INFINITY : 0;
        if (!verdict) {
          if (this.#refused.has(remote)) continue;
          this.#refused.add(remote);
          this.onRefused?.(remote);
          continue;
        }
      }
      for (const base of bases) {
        if (base.ipv6 !== ipv6 || this.get(base.via, remote.address, remote.port) !== undefined) continue;
        // A relay on the internet reaches nobody's private address.
        if (base.via !== SOCKET && isPrivate(remote.address) && !isPrivate(base.address)) continue;
        this.#add(new CandidatePair(base.via, remote, base.priority, localTypeOf(base.via), now));
      }
    }
  }

  #bases(): Base[] {
    const bases: Base[] = [];
    for (const { via, address, type, priority } of this.locals) {
      const ipv6 = address.includes(":");
      // All but relayed ones leave from the socket itself, whatever they are seen as.
      const own = type === "host" || type === "relayed" ? priority : candidatePriority("host", 0);
      const base = bases.find((each) => each.via === via && each.ipv6 === ipv6);
      if (base === undefined) bases.push({ via, ipv6, priority: own, address });
      else base.priority = Math.max(base.priority, own);
    }
    return bases;
  }

  #add(pair: CandidatePair): CandidatePair | null {
    if (this.#pairs.size >= this.#options.maxPairs) {
      const unproven = [...this.#pairs.values()].filter(({ state }) => state !== "succeeded").sort(byPriority);
      const worst = unproven.at(-1);
      if (worst === undefined || byPriority(worst, pair) <= 0) return null;
      this.remove(worst);
    }
    this.#pairs.set(keyOf(pair.via, pair.address, pair.port), pair);
    return pair;
  }

  #makeRoom(inUse: CandidatePair | null): boolean {
    const found = this.remotes.filter((each) => !each.signalled && each !== inUse?.remote);
    if (found.length < MAX_PEER_REFLEXIVE) return true;
    const confirmedAt = (remote: RemoteCandidate): number =>
      Math.max(...[...this.#pairs.values()].filter((pair) => pair.remote === remote).map((pair) => pair.confirmedAt));
    const oldest = found.sort((a, b) => confirmedAt(a) - confirmedAt(b) || a.foundAt - b.foundAt)[0];
    if (oldest === undefined) return false;
    for (const pair of this.#pairs.values()) if (pair.remote === oldest) this.remove(pair);
    const index = this.remotes.indexOf(oldest);
    if (index >= 0) this.remotes.splice(index, 1);
    return true;
  }
}

/** PRIORITY of a check from this base (RFC 8445 section 7.1.1); relays get the least local preference. */
export function checkPriority(via: string): number {
  return isSocket(via) ? candidatePriority("peer-reflexive") : candidatePriority("peer-reflexive", 0);
}

function localTypeOf(via: string): "relayed" | "peer-reflexive" {
  return isSocket(via) ? "peer-reflexive" : "relayed";
}

function keyOf(via: string, address: string, port: number): string {
  return `${via} ${address} ${port}`;
}

function isAt(a: LocalCandidate, b: LocalCandidate): boolean {
  return a.via === b.via && a.address === b.address && a.port === b.port;
}

function isPrivate(address: string): boolean {
  return addressScope(address) !== "public";
}
