/**
 * What host and invited player say to each other through an introduction, sealed, one JSON object a message:
 *
 *     { type: "path", id, ice: { ufrag, password }, candidates }   the player asks for a way; the host answers alike
 *     { type: "candidates", id, candidates }                       either side knows more ways (trickle, RFC 8838)
 *     { type: "nat", id, mapping, filtering }                      how this side's NAT behaves, in RFC 4787's words
 *     { type: "guess", id }                                        the player: both sides guess ports from now on
 *     { type: "request", id, method, path, headers, body }         the player's matchmaking, when the host's TCP port is out of reach
 *     { type: "response", id, status, headers, body }              the host's answer
 *
 * `id` is the player's, a whole number; the candidates are those of `ice/candidate.ts`.
 */
import { candidateToJSON, type IceCandidate, type IceCandidateJSON, parseCandidates } from "../../ice/candidate.ts";
import { type IceCredentials, parseIceCredentials } from "../../ice/credentials.ts";
import { type NatView } from "../../ice/port-prediction.ts";
import {
  parseHTTPMessage,
  parseInviteTunnelObject,
  type RequestMessage,
  type ResponseMessage,
} from "./invite-tunnel-http.ts";

export interface PathMessage {
  type: "path";
  id: number;
  ice: IceCredentials;
  candidates: IceCandidate[];
}

export interface CandidatesMessage {
  type: "candidates";
  id: number;
  candidates: IceCandidate[];
}

export interface NatMessage extends NatView {
  type: "nat";
  id: number;
}

export interface GuessMessage {
  type: "guess";
  id: number;
}

export type InviteTunnelMessage =
  | PathMessage
  | CandidatesMessage
  | NatMessage
  | GuessMessage
  | RequestMessage
  | ResponseMessage;

const encoder = new TextEncoder();

export function encodeInviteTunnelMessage(message: InviteTunnelMessage): Uint8Array {
  const candidates = "candidates" in message ? { candidates: message.candidates.map(signalled) } : {};
  return encoder.encode(JSON.stringify({ ...message, ...candidates }));
}

const signalled = (candidate: IceCandidate): IceCandidateJSON => candidateToJSON(candidate);

/** Null for anything that is none. */
export function parseInviteTunnelMessage(bytes: Uint8Array): InviteTunnelMessage | null {
  const value = parseInviteTunnelObject(bytes);
  if (!value) return null;
  const { id } = value;
  switch (value["type"]) {
    case "path": {
      const ice = parseIceCredentials(value["ice"]);
      return ice && { type: "path", id, ice, candidates: parseCandidates(value["candidates"]) };
    }
    case "candidates":
      return { type: "candidates", id, candidates: parseCandidates(value["candidates"]) };
    case "nat":
      return parseNat(value, id);
    case "guess":
      return { type: "guess", id };
    default:
      return parseHTTPMessage(value);
  }
}

const BEHAVIOURS = [
  "none",
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
  "unknown",
] as const;

function parseNat(value: Record<string, unknown>, id: number): NatMessage | null {
  const mapping = BEHAVIOURS.find((word) => word === value["mapping"]);
  const filtering = BEHAVIOURS.find((word) => word === value["filtering"]);
  return mapping && filtering ? { type: "nat", id, mapping, filtering } : null;
}
