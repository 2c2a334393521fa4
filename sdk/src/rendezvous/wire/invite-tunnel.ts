/**
 * What host and invited player say to each other through an introduction, sealed, one JSON object a message:
 *
 *     { type: "path", id, ice: { ufrag, password }, candidates }   the player asks for a way; the host answers alike
 *     { type: "candidates", id, candidates }                       either side knows more ways (trickle, RFC 8838)
 *     { type: "nat", id, mapping, filtering }                      how this side's NAT behaves, in RFC 4787's words
 *     { type: "guess", id }                                        the player: both sides guess ports from now on
 *     { type: "relay", id, urls, secret }                          the player: it relays for others, the host too; see `takesRelays`
 *     { type: "request", id, method, path, headers, body }         the player's matchmaking, when the host's TCP port is out of reach
 *     { type: "response", id, status, headers, body }              the host's answer
 *
 * `id` is the player's, a whole number; the candidates are those of `ice/candidate.ts`. A `path` has a `pad` that nobody reads: see
 * {@link PATH_MESSAGE_BYTES}.
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

/** Only to a host that says that it takes relays; the host checks what is in it. */
export interface RelayMessage {
  type: "relay";
  id: number;
  urls: unknown;
  secret: unknown;
}

export type InviteTunnelMessage =
  | RelayMessage
  | PathMessage
  | CandidatesMessage
  | NatMessage
  | GuessMessage
  | RequestMessage
  | ResponseMessage;

/**
 * How long a `path` is at least: one sealed record. Whoever gets it sends no more to addresses that have not answered than three bytes
 * for each that was said, so that nobody is flooded at somebody else's word (RFC 9000 section 8.1 pads a client's first packets for the
 * same reason). These are some eighty checks.
 */
export const PATH_MESSAGE_BYTES = 3069;
const EMPTY_PAD = ',"pad":""'.length;

const encoder = new TextEncoder();

export function encodeInviteTunnelMessage(message: InviteTunnelMessage): Uint8Array {
  const candidates = "candidates" in message ? { candidates: message.candidates.map(signalled) } : {};
  const said = { ...message, ...candidates };
  const encoded = encoder.encode(JSON.stringify(said));
  const missing = PATH_MESSAGE_BYTES - EMPTY_PAD - encoded.length;
  if ((message.type !== "path" && message.type !== "relay") || missing < 0) return encoded;
  return encoder.encode(JSON.stringify({ ...said, pad: "0".repeat(missing) }));
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
    case "relay":
      return { type: "relay", id, urls: value["urls"], secret: value["secret"] };
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
