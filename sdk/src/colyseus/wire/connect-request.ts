import type { Endpoint } from "../../net/endpoint.ts";
import { SESSION_PROTOCOL } from "../../session/protocol.ts";
import type { RelayingTerms } from "./relaying.ts";

/**
 * How a client comes by a connect token: one HTTP request to the process that has the room, on the port that it already knows
 * from matchmaking.
 *
 *     POST /sallyport/connect      ConnectRequest as JSON, at most 4 KiB; `Authorization: Bearer …` where the game uses it
 *     200                          ConnectReply as JSON
 *     409                          { "code": 409, "error": "why", "protocol": number }: the server speaks this version, not the client's
 *     429, 503                     the same with `Retry-After`, seconds: ask again then
 *     4xx, 5xx                     { "code": number, "error": "why" }: there is no way in over UDP, WebSocket may still work
 *
 * The token brings the session's keys. Over plain http whoever listens on the way learns them, as they learn Colyseus' own
 * tokens; where that matters, serve matchmaking over https.
 */
export const CONNECT_PATH = "/sallyport/connect";
/** The session's own version: a token of another one would be refused in silence. */
export const CONNECT_PROTOCOL: typeof SESSION_PROTOCOL = SESSION_PROTOCOL;
/** How it is called when server and client speak different ones. */
export const CONNECT_PROTOCOL_NAME = "Sallyport protocol";
/** HTTP status of the answer to a client that speaks another version. */
export const STATUS_OTHER_PROTOCOL = 409;
export const MAX_CONNECT_REQUEST_BYTES = 4096;
/** Addresses that a client may name as those it dialed. */
export const MAX_DIALED = 4;

export interface ConnectRequest {
  /** What the client speaks; 1 where it is not there. */
  protocol?: number;
  roomId: string;
  sessionId: string;
  /** Proves the right to a seat that is kept for a player who was here before. */
  reconnectionToken?: string;
  /** The client already knows the state's schema. */
  skipHandshake?: boolean;
  /** The key of a WebSocket on which the player is in the room, to be left for this session (see websocket-control.ts). */
  upgrade?: string;
  /** The addresses behind the host name of this request, which come first in the token: they are known to lead here. */
  dialed?: Endpoint[];
}

export interface ConnectEndpoint extends Endpoint {
  /** `dialed`: named by the client. The others as in the host's Reachability. */
  kind: "dialed" | "host" | "mapped" | "reflexive" | "relayed";
}

export interface ConnectReply {
  protocol: typeof SESSION_PROTOCOL;
  /** The netcode connect token, 2048 bytes in Base64. */
  token: string;
  /** The token's addresses, in its order. */
  endpoints: ConnectEndpoint[];
  /** What is said of relays beside (see relaying.ts); undefined where nothing is. */
  relaying?: RelayingTerms;
  /** The run of the server (see instance.ts). */
  instance?: string;
}
