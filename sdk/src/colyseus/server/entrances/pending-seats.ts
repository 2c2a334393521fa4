import { randomBytes } from "node:crypto";
import type { AuthContext } from "@colyseus/core";
import { TokenBucket } from "../../../net/token-bucket.ts";
import type { Seat } from "../../wire/seat.ts";
import type { Caller } from "../admission/caller.ts";

/** A player who has a connect token, and whose session is not there yet. */
export interface PendingSeat {
  /** netcode's, the same for all tokens of the seat, so that each takes the place of the one before. */
  readonly clientId: bigint;
  /**
   * Headers, token and address of the HTTP request by which the player asked in, kept for `onAuth` until the session stands: they do
   * not fit into a connect token.
   */
  context: AuthContext;
  caller: Caller | undefined;
}

interface Entry extends PendingSeat {
  readonly name: string;
  readonly tokens: TokenBucket;
  expiresAt: number;
}

export interface PendingSeatsOptions {
  /** Of a token. */
  lifetimeMs: number;
  /** Tokens for one seat at once. */
  tokensPerSeat: number;
  /** Default 4096. */
  capacity?: number;
}

/** One token more for a seat after so long. */
const TOKENS_PER_SECOND = 1 / 2;
const CAPACITY = 4096;

/**
 * The seats for which connect tokens were given. Nobody is forgotten before its token has expired: where there are too many, those
 * wait who come.
 */
export class PendingSeats {
  readonly #options: Required<PendingSeatsOptions>;
  /** In order of expiry. */
  readonly #bySeat = new Map<string, Entry>();
  readonly #byClient = new Map<bigint, Entry>();

  constructor(options: PendingSeatsOptions) {
    this.#options = { capacity: CAPACITY, ...options };
  }

  get size(): number {
    return this.#bySeat.size;
  }

  /**
   * One token more for a seat.
   * @returns the seat, or how long to wait in ms, for this seat's tokens or for a place
   */
  add(seat: Seat, asked: Pick<PendingSeat, "context" | "caller">, now: number): PendingSeat | number {
    const { lifetimeMs, tokensPerSeat, capacity } = this.#options;
    for (const entry of this.#bySeat.values()) {
      if (entry.expiresAt > now) break;
      this.#remove(entry);
    }
    const { roomId, sessionId, reconnectionToken } = seat;
    const name = JSON.stringify([roomId, sessionId, reconnectionToken]);
    let entry = this.#bySeat.get(name);
    if (entry === undefined) {
      const [oldest] = this.#bySeat.values();
      if (this.#bySeat.size >= capacity && oldest) return oldest.expiresAt - now;
      const tokens = new TokenBucket(tokensPerSeat, TOKENS_PER_SECOND);
      entry = { ...asked, name, tokens, clientId: randomBytes(8).readBigUInt64LE(), expiresAt: 0 };
      this.#byClient.set(entry.clientId, entry);
    }
    const ms = entry.tokens.waitMs(now);
    if (ms > 0) return ms;
    entry.tokens.take(now);
    entry.context = asked.context;
    entry.caller = asked.caller;
    entry.expiresAt = now + lifetimeMs;
    this.#bySeat.delete(name);
    this.#bySeat.set(name, entry);
    return entry;
  }

  /** The session stands. Later tokens of the seat are another client's. */
  take(clientId: bigint, now: number): PendingSeat | undefined {
    const entry = this.#byClient.get(clientId);
    if (!entry) return undefined;
    this.#remove(entry);
    return entry.expiresAt > now ? entry : undefined;
  }

  #remove({ name, clientId }: Entry): void {
    this.#bySeat.delete(name);
    this.#byClient.delete(clientId);
  }
}
