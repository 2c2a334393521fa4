import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { ErrorCode, matchMaker } from "@colyseus/core";
import type { Admission } from "../admission/admission.ts";
import type { Refusal } from "../admission/refusal.ts";
import { giveTicket, SeatTicket, takeOffTicket } from "../admission/seat-tickets.ts";
import { callerOfRequest } from "./client-address.ts";
import { filterRequests } from "./http.ts";
import { matchmakingMethod } from "./matchmaking-url.ts";
import { allowPages, fail, refuse } from "./reply.ts";

export interface MatchmakingGateOptions {
  admission: Admission;
  trustProxy: boolean;
  onRefused: (request: IncomingMessage, status: number) => void;
}

/** A dropped player who comes back has its seat already. */
const RESERVES_NOTHING = "reconnect";

/**
 * Lets no caller take more of the matchmaker than its share. What `matchMaker.controller.exposedMethods` forbids is answered at once
 * and costs nobody anything.
 */
export function limitMatchmaking(server: Server, options: MatchmakingGateOptions): void {
  const { admission, trustProxy, onRefused } = options;
  const refuseOf = (request: IncomingMessage, response: ServerResponse, method: string): Refusal | undefined => {
    const caller = callerOfRequest(request, trustProxy);
    const now = performance.now();
    const refusal = admission.requests.take(caller, now);
    if (refusal || request.method !== "POST" || method === RESERVES_NOTHING) return refusal;
    const noSeat = admission.askSeat(caller, now);
    if (!noSeat) giveTicket(request, response, new SeatTicket(admission, caller));
    return noSeat;
  };
  filterRequests(server, (request, response) => {
    const method = response && matchmakingMethod(request.url ?? "/");
    if (!response || method === undefined || request.method === "OPTIONS") return false;
    takeOffTicket(request);
    if (request.method === "POST" && !matchMaker.controller.exposedMethods.includes(method)) {
      allowPages(request, response);
      onRefused(request, ErrorCode.MATCHMAKE_NO_HANDLER);
      fail(response, ErrorCode.MATCHMAKE_NO_HANDLER, ErrorCode.MATCHMAKE_NO_HANDLER, describeForbidden(method));
      return true;
    }
    const refusal = refuseOf(request, response, method);
    if (!refusal) return false;
    allowPages(request, response);
    onRefused(request, refusal.status);
    refuse(response, refusal);
    return true;
  });
}

const WORDS: Readonly<Record<string, string>> = {
  create: "Players open no rooms of their own here",
  joinOrCreate: "Players open no rooms here",
  join: "Nobody gets into a room by its name here",
  joinById: "Nobody gets into a room by its id here",
  reconnect: "Nobody comes back into a room here",
};

function describeForbidden(method: string): string {
  const cause = Object.hasOwn(WORDS, method) ? WORDS[method] : "The matchmaker does not do that";
  const allowed = matchMaker.controller.exposedMethods.join(", ");
  return allowed === "" ? `${cause}.` : `${cause}: use ${allowed}.`;
}
