import type { Endpoint } from "../../net/endpoint.ts";

/**
 * How a client comes by a connect token: one HTTP request to the process that has the room, on the port that it already knows
 * from matchmaking.
 *
 *     POST /sallyport/connect      ConnectRequest as JSON, at most 4 KiB; `Authorization: Bearer …` where the game uses it
 *     200                          ConnectReply as JSON
 *     4xx, 5xx                     { "code": number, "error": "why" }: there is no way in over UDP, WebSocket may still work
 *
 * The token brings the session's keys. Over plain http whoever listens on the way learns them, as they learn Colyseus' own
 * tokens; where that matters, serve matchmaking over https.
 */
export const CONNECT_PATH = "/sallyport/connect";
export const CONNECT_PROTOCOL = 1;
export const MAX_CONNECT_REQUEST_BYTES = 4096;
/** Addresses that a client may name as those it dialed. */
export const MAX_DIALED = 4;

export interface ConnectRequest {
  roomId: string;
  sessionId: string;
  /** Proves the right to a seat that is kept for a player who was here before. */
  reconnectionToken?: string;
  /** The client already knows the state's schema. */
  skipHandshake?: boolean;
  /** The addresses behind the host name of this request, which come first in the token: they are known to lead here. */
  dialed?: Endpoint[];
}

export interface ConnectEndpoint extends Endpoint {
  /** `dialed`: named by the client. The others as in the host's Reachability. */
  kind: "dialed" | "host" | "mapped" | "reflexive" | "relayed";
}

export interface ConnectReply {
  protocol: typeof CONNECT_PROTOCOL;
  /** The netcode connect token, 2048 bytes in Base64. */
  token: string;
  /** The token's addresses, in its order. */
  endpoints: ConnectEndpoint[];
}
