import type { AdmissionLimits } from "./admission-limits.ts";
import type { Caller } from "./caller.ts";
import { CallerCounts } from "./caller-counts.ts";
import { CreatedRooms } from "./created-rooms.ts";
import { type Refusal, waitFor } from "./refusal.ts";
import { Requests } from "./requests.ts";
import { Seats } from "./seats.ts";

/** A seat of the matchmaker, as it is kept here. */
export interface SeatName {
  readonly roomId: string;
  readonly sessionId: string;
}

/**
 * What one caller, and what all callers together, may take of a server on their way in: one for all entrances. Nothing here says
 * that a caller is good or bad: only how much it holds. Callers that are undefined stand behind a reverse proxy.
 */
export class Admission {
  readonly limits: Required<AdmissionLimits>;
  readonly requests: Requests;
  readonly rooms: CreatedRooms;
  readonly #seats: Seats;
  readonly #players = new CallerCounts();

  constructor(limits: Required<AdmissionLimits>) {
    this.limits = limits;
    this.requests = new Requests(limits);
    this.rooms = new CreatedRooms(limits);
    this.#seats = new Seats(limits);
  }

  /** Seats that nobody has taken, and requests for one. */
  get openSeats(): number {
    return this.#seats.size;
  }

  /** Asks for a seat. Without a refusal {@link reserved} or {@link notReserved} must follow. */
  askSeat(caller: Caller | undefined, now: number): Refusal | undefined {
    return (caller && this.#refusePlayer(caller)) ?? this.#seats.ask(caller, now);
  }

  /** @param expiresAt when the room gives the seat up, by the same clock as `now` */
  reserved(caller: Caller | undefined, seat: SeatName, expiresAt: number): void {
    this.#seats.reserved(caller, nameOf(seat), expiresAt);
  }

  notReserved(caller: Caller | undefined, now: number): void {
    this.#seats.release(caller, now);
  }

  /** Its player is here, whatever the room makes of it. */
  seatTaken(seat: SeatName, now: number): void {
    this.#seats.taken(nameOf(seat), now);
  }

  /** Whether an address has as many players in rooms as it may. */
  isCrowded(caller: Caller): boolean {
    return this.#players.isFull(caller, this.limits.playersPerAddress);
  }

  /** A player's connection stands. @returns to be called when it is gone */
  playerCame(caller: Caller): () => void {
    this.#players.add(caller);
    let isHere = true;
    return () => {
      if (isHere) this.#players.remove(caller);
      isHere = false;
    };
  }

  /** Those who hold a seat are as good as here. */
  #refusePlayer(caller: Caller): Refusal | undefined {
    const { playersPerAddress } = this.limits;
    const weight = caller.networks[0]?.weight ?? 1;
    const open = this.#seats.of(caller);
    const isFull = this.isCrowded(caller) || this.#players.of(caller) + open >= Math.max(1, playersPerAddress * weight);
    if (!isFull) return undefined;
    const cause = `As many players of your address are here as may be, ${playersPerAddress}`;
    if (open > 0) return waitFor(429, cause, 1000);
    return { status: 429, error: `${cause}: come back when one has left.`, retryAfterMs: undefined };
  }
}

function nameOf({ roomId, sessionId }: SeatName): string {
  return `${roomId} ${sessionId}`;
}
