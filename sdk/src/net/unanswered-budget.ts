import { callerKey } from "./caller-key.ts";
import { RateLimiter, TokenBucket } from "./token-bucket.ts";
import type { UnprovenAddress } from "./unproven-address.ts";

export interface Budget {
  /** Packets at once. */
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * To one destination that has never answered, whoever named it: an IPv4 address, or an IPv6 /64. A peer is asked 11 times on each of
 * its addresses, from a socket and a relay: two peers of one house fit in, or four addresses of one machine in one /64. Then a check
 * every half second still opens a translator within its 30 s and more (RFC 4787 REQ-5). It is 8 kB, and 250 bytes/s.
 */
export const PER_DESTINATION: Budget = { burst: 64, perSecond: 2 };
/**
 * For one peer, over all of its paths. A home names six addresses or so: 11 checks on each from socket and relay are 132, and a
 * second path at the same time is as much again. 20 a second are RFC 8445's pace, one check each 50 ms.
 */
export const PER_INTRODUCTION: Budget = { burst: 256, perSecond: 20 };
/** For all peers: as many as some twenty who come at once and ask for all that is theirs. 25 kB/s in the long run. */
export const PER_PROCESS: Budget = { burst: 2_000, perSecond: 200 };

/** An address that answered is remembered so long: a peer that comes back need not prove itself again. */
const ANSWERED_MS = 600_000;
const MAX_ANSWERED = 4_096;
const MAX_DESTINATIONS = 4_096;
/** One peer has fewer addresses. */
const MAX_ANSWERED_OF_ONE = 64;

/**
 * Packets to addresses that only somebody's word names, and that have never answered: they are bounded for each destination, each
 * introduction and the process, so that nobody makes us flood a third party. Sans I/O: times in ms of one monotonic clock.
 *
 * An authentic answer from an address says that the peer is there. After that the destination's own budget is not asked; the
 * introduction's and the process's go on counting what still is not answered, such as a closed port.
 */
export class UnansweredBudget {
  readonly #process: TokenBucket = new TokenBucket(PER_PROCESS.burst, PER_PROCESS.perSecond);
  readonly #destinations: RateLimiter = new RateLimiter({ ...PER_DESTINATION, maxKeys: MAX_DESTINATIONS });
  // A Map keeps insertion order: the first entry is the oldest.
  readonly #answered: Map<string, number> = new Map();

  /**
   * The share of one introduced peer, for all of its paths.
   * @param said what the peer has said so far bounds it too: three bytes for one. Default: that is not counted
   */
  introduction(said?: UnprovenAddress): IntroductionBudget {
    return new IntroductionBudget(this, said);
  }

  /** Whether something authentic has answered there of late. */
  hasAnswered(key: string, now: number): boolean {
    const answeredAt = this.#answered.get(key);
    return answeredAt !== undefined && now - answeredAt < ANSWERED_MS;
  }

  /** Takes one packet's place of destination and process. */
  take(key: string, now: number): boolean {
    return (this.hasAnswered(key, now) || this.#destinations.take(key, now)) && this.#process.take(now);
  }

  /** Something authentic answered at this address, be it a TURN server. */
  answered(address: string, now: number): void {
    const key = callerKey(address);
    this.#answered.delete(key);
    this.#answered.set(key, now);
    if (this.#answered.size <= MAX_ANSWERED) return;
    const [oldest] = this.#answered.keys();
    if (oldest !== undefined) this.#answered.delete(oldest);
  }
}

/** See {@link UnansweredBudget.introduction}. */
export class IntroductionBudget {
  readonly #parent: UnansweredBudget;
  readonly #own: TokenBucket = new TokenBucket(PER_INTRODUCTION.burst, PER_INTRODUCTION.perSecond);
  readonly #said: UnprovenAddress | undefined;
  readonly #answered: Set<string> = new Set();

  constructor(parent: UnansweredBudget, said?: UnprovenAddress) {
    this.#parent = parent;
    this.#said = said;
  }

  /**
   * Whether one more packet, so many bytes long, may go to an address and port that have not answered; if so, it is counted. A failed
   * one may have taken a place all the same.
   */
  take(address: string, bytes: number, now: number): boolean {
    const key = callerKey(address);
    const said = this.#parent.hasAnswered(key, now) ? undefined : this.#said;
    if (said?.allows(bytes) === false) return false;
    // One's own first: who has spent it must not spend what others need of a destination.
    if (!this.#own.take(now) || !this.#parent.take(key, now)) return false;
    said?.take(bytes);
    return true;
  }

  /** The peer said so much, by the mailbox or by a path that is its own. */
  heard(bytes: number): void {
    this.#said?.received(bytes);
  }

  /** The peer answered at this address. */
  answered(address: string, now: number): void {
    this.#parent.answered(address, now);
    if (this.#answered.size < MAX_ANSWERED_OF_ONE) this.#answered.add(callerKey(address));
  }

  /** Whether this very peer has answered at this address, on whatever port. */
  hasAnswered(address: string): boolean {
    return this.#answered.has(callerKey(address));
  }
}

/** This process's, where none is handed in. */
export const PROCESS_BUDGET: UnansweredBudget = new UnansweredBudget();
