import { type ParsedConnectRequest, parseConnectRequest } from "../entrances/parse-connect-request.ts";
import { type Offer, parseOffer } from "./offer.ts";

export interface ParsedWebRTCRequest extends ParsedConnectRequest {
  offer: Offer;
  /** Empty where the page has dialed an address. */
  dialedName: string;
}

/** RFC 1035 section 2.3.4. */
const MAX_NAME = 253;

/** @returns null for anything that is no well-formed request, or offers something else than data channels. */
export function parseWebRTCRequest(json: object | null): ParsedWebRTCRequest | null {
  const request = parseConnectRequest(json);
  const { offer: sdp, dialedName = "" } = (json ?? {}) as { offer?: unknown; dialedName?: unknown };
  const offer = typeof sdp === "string" ? parseOffer(sdp) : null;
  if (!request || !offer || typeof dialedName !== "string" || dialedName.length > MAX_NAME) return null;
  return { ...request, offer, dialedName };
}
