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
import {
  candidateToJSON,
  type IceCandidate,
  type IceCandidateJSON,
  type IceCredentials,
  type IcePeer,
  type LocalCandidate,
  type NatView,
  parseCandidates,
  parseIceCredentials,
} from "../ice/index.ts";
import type { Introduction } from "./introduction.ts";

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

export interface RequestMessage {
  type: "request";
  id: number;
  method: (typeof METHODS)[number];
  /** Begins with `/`. */
  path: string;
  headers: Record<string, string>;
  body: string;
}

export interface ResponseMessage {
  type: "response";
  id: number;
  status: number;
  headers: Record<string, string>;
  body: string;
}

export type PassageMessage =
  | PathMessage
  | CandidatesMessage
  | NatMessage
  | GuessMessage
  | RequestMessage
  | ResponseMessage;

/** All that matchmaking, tokens and authentication take. */
const METHODS = ["GET", "POST"] as const;
const MAX_HEADERS = 16;
const MAX_HEADER_LENGTH = 4096;
const MAX_PATH_LENGTH = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @returns false where it could not be sent: closed, too long, or too many */
export function sendPassageMessage(introduction: Introduction, message: PassageMessage): boolean {
  const candidates = "candidates" in message ? { candidates: message.candidates.map(signalled) } : {};
  return introduction.send(encoder.encode(JSON.stringify({ ...message, ...candidates })));
}

const signalled = (candidate: IceCandidate): IceCandidateJSON => candidateToJSON(candidate);

/** Null for anything that is none. */
export function parsePassageMessage(bytes: Uint8Array): PassageMessage | null {
  const value = parseObject(bytes);
  const id = value?.["id"];
  if (!value || !Number.isSafeInteger(id) || (id as number) < 0) return null;
  switch (value["type"]) {
    case "path": {
      const ice = parseIceCredentials(value["ice"]);
      return ice && { type: "path", id: id as number, ice, candidates: parseCandidates(value["candidates"]) };
    }
    case "candidates":
      return { type: "candidates", id: id as number, candidates: parseCandidates(value["candidates"]) };
    case "nat":
      return parseNat(value, id as number);
    case "guess":
      return { type: "guess", id: id as number };
    case "request":
      return parseRequest(value, id as number);
    case "response":
      return parseResponse(value, id as number);
    default:
      return null;
  }
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value = JSON.parse(decoder.decode(bytes)) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
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

function parseRequest({ method, path, headers, body }: Record<string, unknown>, id: number): RequestMessage | null {
  const known = METHODS.find((each) => each === method);
  const parsed = parseHeaders(headers);
  if (!known || !parsed || typeof body !== "string") return null;
  if (typeof path !== "string" || path.length > MAX_PATH_LENGTH || !/^\/[!-~]*$/.test(path)) return null;
  return { type: "request", id, method: known, path, headers: parsed, body };
}

function parseResponse({ status, headers, body }: Record<string, unknown>, id: number): ResponseMessage | null {
  const parsed = parseHeaders(headers);
  if (!parsed || typeof body !== "string") return null;
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) return null;
  return { type: "response", id, status: status as number, headers: parsed, body };
}

function parseHeaders(value: unknown): Record<string, string> | null {
  if (typeof value !== "object" || value === null) return null;
  const entries = Object.entries(value);
  if (entries.length > MAX_HEADERS) return null;
  const valid = entries.every(
    ([name, text]) =>
      /^[a-z0-9-]{1,64}$/.test(name) &&
      typeof text === "string" &&
      text.length <= MAX_HEADER_LENGTH &&
      /^[\t -~]*$/.test(text),
  );
  return valid ? (Object.fromEntries(entries) as Record<string, string>) : null;
}

/** How often a side looks for ways it has learnt of since it last told of its ways, ms. */
const TRICKLE_MS = 150;
/** Ways that are learnt later than this (ms) are for the next introduction. */
const TRICKLE_FOR_MS = 15_000;

/** Tells the other side of ways as they are found, until the introduction ends. */
export function trickle(introduction: Introduction, id: number, peer: IcePeer, told: Iterable<LocalCandidate>): void {
  const known = new Set<LocalCandidate>(told);
  const began = performance.now();
  const timer = setInterval(() => {
    if (introduction.closed || peer.state === "closed" || performance.now() - began > TRICKLE_FOR_MS) {
      clearInterval(timer);
      return;
    }
    const fresh = peer.localCandidates.filter((candidate) => !known.has(candidate));
    if (fresh.length === 0) return;
    if (!sendPassageMessage(introduction, { type: "candidates", id, candidates: fresh })) return;
    for (const candidate of fresh) known.add(candidate);
  }, TRICKLE_MS);
  timer.unref();
  introduction.onClose(() => clearInterval(timer));
}
