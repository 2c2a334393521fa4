import type { Room } from "@colyseus/core";
import type { Caller } from "./caller.ts";
import { CallerCounts } from "./caller-counts.ts";
import { localRoom } from "./local-room.ts";

export interface RoomLimits {
  roomsPerAddress: number;
  emptyRooms: number;
}

/** Those that are gone are looked for when there are as many again. */
const LEAST_PRUNED = 64;

/** The rooms of this process that players have had made, and by whom. */
export class CreatedRooms {
  readonly #limits: RoomLimits;
  readonly #creators = new Map<Room, Caller | undefined>();
  readonly #counts = new CallerCounts();
  #pruneAt = LEAST_PRUNED;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** Counts a room, once. */
  add(room: Room, creator: Caller | undefined): void {
    if (this.#creators.has(room)) return;
    this.#creators.set(room, creator);
    if (creator) this.#counts.add(creator);
    if (this.#creators.size < this.#pruneAt) return;
    this.#prune();
    this.#pruneAt = Math.max(LEAST_PRUNED, 2 * this.#creators.size);
  }

  /** Why this caller may not have another one made; undefined when it may. */
  refuse(caller: Caller | undefined): string | undefined {
    const { roomsPerAddress, emptyRooms } = this.#limits;
    if (this.#isFull(caller, roomsPerAddress)) this.#prune();
    if (this.#isFull(caller, roomsPerAddress)) {
      return `Your address has opened as many rooms as it may, ${roomsPerAddress}: join one that is there.`;
    }
    if (this.#creators.size < emptyRooms || this.#empty < emptyRooms) return undefined;
    // Who has none gets one beyond that, up to twice as many.
    if (caller && this.#counts.ofSite(caller) === 0 && this.#empty < 2 * emptyRooms) return undefined;
    return "Too many rooms stand empty here: join one that is there, or wait until some are gone.";
  }

  get #empty(): number {
    this.#prune();
    let empty = 0;
    for (const room of this.#creators.keys()) if (room.clients.length === 0) empty++;
    return empty;
  }

  #isFull(caller: Caller | undefined, limit: number): boolean {
    return caller !== undefined && this.#counts.isFull(caller, limit);
  }

  #prune(): void {
    for (const [room, creator] of this.#creators) {
      if (localRoom(room.roomId) === room) continue;
      this.#creators.delete(room);
      if (creator) this.#counts.remove(creator);
    }
  }
}
