import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Session } from "../../../session/types.ts";
import type { MovingSession } from "../../websocket/moving-session.ts";
import type { Seat } from "../../wire/seat.ts";

/** A client asks every 4 s; who asks much more often makes us work for nothing, ms. */
const ASK_INTERVAL_MS = 1000;
/** Of the key, what it is found by. */
const ID_CHARACTERS = 8;

interface Entry {
  key: Buffer;
  roomId: string;
  sessionId: string;
  session: MovingSession;
  askedAt: number;
}

/** Players on a WebSocket that may leave it for a session, which they bring with the key that they were given. */
export class Upgrades {
  readonly #entries = new Map<string, Entry>();

  /** @returns the key; good until {@link remove} */
  add(session: MovingSession, { roomId, sessionId }: Pick<Seat, "roomId" | "sessionId">): string {
    let key: string;
    do key = randomBytes(16).toString("hex");
    while (this.#entries.has(idOf(key)));
    const entry = { key: Buffer.from(key), roomId, sessionId, session, askedAt: Number.NEGATIVE_INFINITY };
    this.#entries.set(idOf(key), entry);
    return key;
  }

  remove(key: string): void {
    this.#entries.delete(idOf(key));
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether this key is of somebody who plays over a WebSocket. */
  has(seat: Seat): boolean {
    const { session } = this.#find(seat) ?? {};
    return session !== undefined && session.isWebSocket && session.open;
  }

  /** @returns whether a way in may be given for this key: not where the last one was given just now */
  ask(seat: Seat, now: number): boolean {
    const entry = this.#find(seat);
    if (!entry || now - entry.askedAt < ASK_INTERVAL_MS) return false;
    entry.askedAt = now;
    return true;
  }

  /** A player has brought a session. @returns whether somebody waits for it */
  offer(seat: Seat, session: Session): boolean {
    const entry = this.#find(seat);
    entry?.session.offer(session);
    return entry !== undefined;
  }

  #find({ upgrade = "", roomId, sessionId }: Seat): Entry | undefined {
    const entry = this.#entries.get(idOf(upgrade));
    const key = Buffer.from(upgrade);
    if (!entry || key.length !== entry.key.length || !timingSafeEqual(key, entry.key)) return undefined;
    return entry.roomId === roomId && entry.sessionId === sessionId ? entry : undefined;
  }
}

const idOf = (key: string): string => key.slice(0, ID_CHARACTERS);
