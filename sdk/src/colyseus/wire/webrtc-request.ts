import type { ConnectRequest } from "./connect-request.ts";

/**
 * How a browser comes by a WebRTC session: one HTTP request to the process that has the room, on the port that it already knows from
 * matchmaking. Offer and answer are complete, nothing trickles (RFC 8838).
 *
 *     POST /sallyport/webrtc       WebRTCRequest as JSON, at most 16 KiB; `Authorization: Bearer …` where the game uses it
 *     200                          WebRTCReply as JSON
 *     409                          { "code": 409, "error": "why", "protocol": number }: the server speaks this version, not the page's
 *     429, 503                     the same with `Retry-After`, seconds: ask again then
 *     4xx, 5xx                     { "code": number, "error": "why" }: there is no way in over WebRTC, WebSocket may still work
 *
 * The fingerprints in offer and answer are what DTLS authenticates the two by (RFC 8827 section 6.5): over plain http whoever can
 * change what passes can stand in between, as for Colyseus' own tokens.
 *
 * Both sides then open one data channel by agreement (RFC 8832 is not needed), {@link PACKET_CHANNEL}, unordered and with nothing sent
 * twice: each message on it is a packet as over UDP (webrtc/link.ts). The client's first one takes the seat.
 */
export const WEBRTC_PATH = "/sallyport/webrtc";
export const WEBRTC_PROTOCOL = 2;
export const WEBRTC_PROTOCOL_NAME = "Sallyport's WebRTC protocol";
export const MAX_WEBRTC_REQUEST_BYTES = 16_384;

/** Its stream (RFC 8831 section 6.4), as `RTCDataChannelInit` and libdatachannel's take it. */
export const PACKET_CHANNEL = { id: 0, label: "packets" } as const;

export interface WebRTCRequest extends ConnectRequest {
  /** SDP (RFC 8829) with the candidates that were found. */
  offer: string;
  /** The name that the page has dialed, which may look it up nowhere. */
  dialedName?: string;
}

export type WebRTCReply =
  | {
      protocol: typeof WEBRTC_PROTOCOL;
      /** SDP with all of the host's candidates. */
      answer: string;
      /** How long a side that hears nothing waits before it gives the session up, ms; 0 = for ever. */
      timeoutMs: number;
      /** The run of the server (see instance.ts). */
      instance?: string;
    }
  | {
      protocol: typeof WEBRTC_PROTOCOL;
      /** Why there is none, in words for the developer. */
      unavailable: string;
    };
