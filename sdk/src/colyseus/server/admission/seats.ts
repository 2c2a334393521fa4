import { NetworkLimiter } from "../../../net/network-limiter.ts";
import type { Caller } from "./caller.ts";
import { CallerCounts } from "./caller-counts.ts";
import { type Refusal, waitFor } from "./refusal.ts";

export interface SeatLimits {
  seatsPerAddress: number;
  seats: number;
}

interface OpenSeat {
  readonly caller: Caller | undefined;
  readonly expiresAt: number;
}

/** One seat in four seconds that nobody took is forgiven. */
const FORGIVEN_PER_SECOND = 1 / 4;
const MAX_CALLERS = 4096;
/** For places that may be free at any moment. */
const SOON_MS = 1000;
/** How often is looked for seats whose time is over. */
const LOOK_MS = 250;

/**
 * Seats that were reserved and that nobody has taken yet: each keeps a place in a room, and perhaps a room, from others. Taking a
 * seat gives back what it cost; so a crowd behind one address gets in at once, and who only reserves does not go on for long.
 */
export class Seats {
  readonly #limits: SeatLimits;
  readonly #limiter: NetworkLimiter;
  readonly #open = new Map<string, OpenSeat>();
  /** Open seats, and requests for one that are under way. */
  readonly #held = new CallerCounts();
  #asked = 0;
  #lookAt = Number.NEGATIVE_INFINITY;

  constructor(limits: SeatLimits) {
    this.#limits = limits;
    this.#limiter = new NetworkLimiter({
      burst: limits.seatsPerAddress,
      perSecond: FORGIVEN_PER_SECOND,
      maxKeys: MAX_CALLERS,
    });
  }

  /** Seats that nobody has taken, and requests for one. */
  get size(): number {
    return this.#open.size + this.#asked;
  }

  /** The same of one caller. */
  of(caller: Caller): number {
    return this.#held.of(caller);
  }

  /** Asks for a seat. Without a refusal {@link reserved} or {@link release} must follow. */
  ask(caller: Caller | undefined, now: number): Refusal | undefined {
    this.#expire(now);
    const ms = caller ? this.#limiter.waitMs(caller.networks, now) : 0;
    if (ms > 0) return waitFor(429, "Your address has reserved seats that nobody has taken", ms);
    if (!this.#hasRoom(caller)) return waitFor(503, "Too many players are on their way in", SOON_MS);
    if (caller) {
      this.#limiter.take(caller.networks, now);
      this.#held.add(caller);
    }
    this.#asked++;
    return undefined;
  }

  /** The matchmaker gave this seat. */
  reserved(caller: Caller | undefined, seat: string, expiresAt: number): void {
    this.#asked--;
    this.#open.set(seat, { caller, expiresAt });
  }

  /** The matchmaker gave none. */
  release(caller: Caller | undefined, now: number): void {
    this.#asked--;
    if (caller) this.#giveBack(caller, now);
  }

  /** Somebody has taken this seat. */
  taken(seat: string, now: number): void {
    const open = this.#open.get(seat);
    if (!open) return;
    this.#open.delete(seat);
    if (open.caller) this.#giveBack(open.caller, now);
  }

  #giveBack(caller: Caller, now: number): void {
    this.#held.remove(caller);
    this.#limiter.take(caller.networks, now, -1);
  }

  #hasRoom(caller: Caller | undefined): boolean {
    const { seats } = this.#limits;
    if (this.size < seats) return true;
    return caller !== undefined && this.#held.ofSite(caller) === 0 && this.size < 2 * seats;
  }

  /** Gives nothing back. Each room may keep seats for another time, so that all are looked at. */
  #expire(now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    for (const [seat, { caller, expiresAt }] of this.#open) {
      if (expiresAt > now) continue;
      this.#open.delete(seat);
      if (caller) this.#held.remove(caller);
    }
  }
}
