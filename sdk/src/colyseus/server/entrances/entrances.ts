import type { IncomingMessage, Server } from "node:http";
import type { WebSocketTransport } from "@colyseus/ws-transport";
import type { Admission } from "../admission/admission.ts";
import type { ConnectionLimits } from "../admission/connection-limits.ts";
import type { Upgrades } from "../admission/upgrades.ts";
import { diagnose } from "../observability/diagnostics.ts";
import { Refusals } from "../observability/refusals.ts";
import { callerOfRequest } from "./client-address.ts";
import { limitConnections } from "./connection-limits.ts";
import { filterRequests } from "./http.ts";
import { serveInstance } from "./instance.ts";
import { limitMatchmaking } from "./matchmaking-gate.ts";
import type { ParsedConnectRequest } from "./parse-connect-request.ts";
import { guardRequests, type RequestGuardOptions } from "./request-guard.ts";
import { answerRoomList, listedName } from "./room-list.ts";
import { type SeatEndpoints, type SeatGuard, serveSeatEndpoints } from "./seat-endpoint.ts";

export interface EntrancesOptions extends RequestGuardOptions, Pick<SeatGuard, "verifyClient" | "beforeUpgrade"> {
  /** Whether `GET /matchmake/NAME` is answered. */
  listRooms?: boolean;
  limits?: ConnectionLimits;
  admission: Admission;
  /** Players on a WebSocket who may have a session beside it. */
  upgrades: Upgrades;
}

/**
 * Puts all that answers or refuses over HTTP in front of a Colyseus server. A connection meets, in this order: the limits of
 * connections, the guard of requests, the gate of matchmaking, the list of rooms, the seat endpoints, then Colyseus.
 * @returns what was refused since
 */
export function mountEntrances<Requests extends ParsedConnectRequest[]>(
  server: Server,
  webSocket: WebSocketTransport,
  options: EntrancesOptions,
  endpoints: SeatEndpoints<Requests>,
): Refusals {
  const refusals = new Refusals();
  const { admission, trustProxy = false } = options;
  // Each filter goes in front of those before it.
  serveSeatEndpoints(server, seatGuard(options, refusals), endpoints);
  serveInstance(server);
  if (options.listRooms) mountRoomList(server);
  const onRefused = (request: IncomingMessage, status: number): void => {
    refusals.add("requests", status);
    options.onRefused?.(request, status);
  };
  limitMatchmaking(server, { admission, trustProxy, onRefused });
  guardRequests(server, {
    ...options,
    onRefused(request, status) {
      // A room that there cannot be.
      if (status === 404) admission.requests.guessed(callerOfRequest(request, trustProxy), performance.now());
      onRefused(request, status);
    },
  });
  limitConnections(server, {
    limits: options.limits,
    trustProxy,
    webSocket,
    onRefused: (_address, reason) => refusals.add("connections", reason),
  });
  return refusals;
}

function seatGuard(options: EntrancesOptions, refusals: Refusals): SeatGuard {
  const { verifyClient, beforeUpgrade, admission, trustProxy = false, upgrades } = options;
  return {
    verifyClient,
    beforeUpgrade,
    admission,
    trustProxy,
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
