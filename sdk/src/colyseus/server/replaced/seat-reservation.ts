import { type AuthContext, ErrorCode, matchMaker, type Room, ServerError } from "@colyseus/core";
import { localRoom } from "../admission/local-room.ts";
import { type SeatTicket, ticketOf } from "../admission/seat-tickets.ts";
import { replaceMethod } from "./methods.ts";

/**
 * Takes `publicAddress` out of seats in this very process: the player who asked has already found the way here, and an address from
 * outside might not lead back in.
 *
 * Colyseus 0.18 puts the room's address into every seat, and a client dials it even where it got the seat from that same process.
 * @param ownAddress the address that we have put into our rooms; an address from Colyseus' options stays
 * @returns undoes it
 */
export function hideOwnAddressInSeats(ownAddress: () => string | undefined): () => void {
  return replaceMethod(matchMaker.controller, "invokeMethod", (original) => async (...parameters) => {
    const seat = (await original(...parameters)) as { processId?: string; publicAddress?: string };
    const isOurs = seat.processId === matchMaker.processId && seat.publicAddress === ownAddress();
    if (isOurs && !matchMaker.publicAddress) delete seat.publicAddress;
    return seat;
  });
}

interface ReservedSeat {
  roomId: string;
  sessionId: string;
}

/** What a room of another process is taken to keep its seats for, s: Colyseus' default. */
const REMOTE_SEAT_SECONDS = 15;
/** They make no room. */
const JOINS: ReadonlySet<unknown> = new Set(["join", "joinById", "reconnect"]);

/**
 * Tells the admission which seats and rooms come of the requests that it let through. A caller that has had its share of rooms made
 * gets into those that are there.
 *
 * Colyseus 0.18 says nowhere for whom it makes a room.
 * @returns undoes it
 */
export function countSeats(): () => void {
  return replaceMethod(matchMaker.controller, "invokeMethod", (original) => async (method, name, options, context) => {
    const ticket = ticketOf((context as AuthContext).headers);
    if (!ticket) return original(method, name, options, context);
    const { admission, caller } = ticket;
    const began = Date.now();
    const tooMany = JOINS.has(method) ? undefined : admission.rooms.refuse(caller);
    const seat = (await (tooMany === undefined
      ? original(method, name, options, context)
      : joinOnly(original, method, [name, options, context], tooMany))) as ReservedSeat;
    settle(ticket, seat, JOINS.has(method) ? undefined : began);
    return seat;
  });
}

async function joinOnly(
  original: (...parameters: unknown[]) => unknown,
  method: unknown,
  parameters: unknown[],
  tooMany: string,
): Promise<unknown> {
  const refused = new ServerError(429, tooMany);
  if (method !== "joinOrCreate") throw refused;
  try {
    return await original("join", ...parameters);
  } catch (error) {
    const { code } = error as { code?: number };
    // There is none, or the game's `exposedMethods` leave it out.
    const isNone = code === ErrorCode.MATCHMAKE_INVALID_CRITERIA || code === ErrorCode.MATCHMAKE_NO_HANDLER;
    throw isNone ? refused : error;
  }
}

/** @param began when a request began that may have had a room made, ms since the epoch */
function settle(ticket: SeatTicket, seat: ReservedSeat, began: number | undefined): void {
  const room = localRoom(seat.roomId);
  if (room && began !== undefined && createdAt(room) >= began) ticket.admission.rooms.add(room, ticket.caller);
  ticket.reserved(seat, (room?.seatReservationTimeout ?? REMOTE_SEAT_SECONDS) * 1000);
}

function createdAt(room: Room): number {
  const { createdAt } = room["_listing"] as { createdAt?: Date };
  return createdAt?.getTime() ?? 0;
}
