import type { Server } from "node:http";
import type { WebSocketTransport } from "@colyseus/ws-transport";
import type { TransportLimits } from "../admission/limits.ts";
import type { RefusalLimiter } from "../admission/refusal-limiter.ts";
import type { Upgrades } from "../admission/upgrades.ts";
import { diagnose } from "../observability/diagnostics.ts";
import { Refusals } from "../observability/refusals.ts";
import { limitConnections } from "./connection-limits.ts";
import { filterRequests } from "./http.ts";
import { serveInstance } from "./instance.ts";
import type { ParsedConnectRequest } from "./parse-connect-request.ts";
import { guardRequests, type RequestGuardOptions } from "./request-guard.ts";
import { answerRoomList, listedName } from "./room-list.ts";
import { type SeatEndpoints, type SeatGuard, serveSeatEndpoints } from "./seat-endpoint.ts";

export interface EntrancesOptions extends RequestGuardOptions, Pick<SeatGuard, "verifyClient" | "beforeUpgrade"> {
  /** Whether `GET /matchmake/NAME` is answered. */
  listRooms?: boolean;
  limits?: TransportLimits;
  /** Counts who asks for seats or rooms that are not there. */
  limiter: RefusalLimiter;
  /** Players on a WebSocket who may have a session beside it. */
  upgrades: Upgrades;
}

/**
 * Puts all that answers or refuses over HTTP in front of a Colyseus server. A connection meets, in this order: the limits of
 * connections, the guard of requests, the list of rooms, the seat endpoints, then Colyseus.
 * @returns what was refused since
 */
export function mountEntrances<Requests extends ParsedConnectRequest[]>(
  server: Server,
  webSocket: WebSocketTransport,
  options: EntrancesOptions,
  endpoints: SeatEndpoints<Requests>,
): Refusals {
  const refusals = new Refusals();
  // Each filter goes in front of those before it.
  serveSeatEndpoints(server, seatGuard(options, refusals), endpoints);
  serveInstance(server);
  if (options.listRooms) mountRoomList(server);
  guardRequests(server, {
    ...options,
    onRefused(request, status) {
      refusals.add("requests", status);
      // A room that there cannot be.
      if (status === 404) options.limiter.refused(String(request.headers["x-real-ip"]), performance.now());
      options.onRefused?.(request, status);
    },
  });
  limitConnections(server, {
    limits: options.limits,
    trustProxy: options.trustProxy,
    webSocket,
    onRefused: (_address, reason) => refusals.add("connections", reason),
  });
  return refusals;
}

function seatGuard(
  { verifyClient, beforeUpgrade, limiter, upgrades }: EntrancesOptions,
  refusals: Refusals,
): SeatGuard {
  return {
    verifyClient,
    beforeUpgrade,
    limiter,
    upgrades,
    onRefused(address, status, reason) {
      refusals.add("tokens", status);
      diagnose("sallyport:connect:refused", () => ({ address, status, reason }));
    },
  };
}

function mountRoomList(server: Server): void {
  filterRequests(server, (request, response) => {
    const name = response && listedName(request);
    if (!response || name === undefined) return false;
    void answerRoomList(name, request, response);
    return true;
  });
}
