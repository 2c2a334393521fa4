import { matchMaker } from "@colyseus/core";
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
