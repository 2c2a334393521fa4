import { type ParsedConnectRequest, parseConnectRequest } from "../entrances/parse-connect-request.ts";
import { type Offer, parseOffer } from "./offer.ts";

export interface ParsedWebRTCRequest extends ParsedConnectRequest {
  offer: Offer;
}

/** @returns null for anything that is no well-formed request, or offers something else than data channels. */
export function parseWebRTCRequest(json: object | null): ParsedWebRTCRequest | null {
  const request = parseConnectRequest(json);
  const { offer: sdp } = (json ?? {}) as { offer?: unknown };
  const offer = typeof sdp === "string" ? parseOffer(sdp) : null;
  return request && offer && { ...request, offer };
}
