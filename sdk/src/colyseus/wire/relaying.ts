/**
 * What a host and its players say to each other about relays, over a UDP session beside Colyseus' frames: reliable messages on
 * {@link RELAYING_CHANNEL}, each a JSON object of at most {@link MAX_RELAYING_BYTES}.
 *
 *     { type: "hello" }                        player: it understands these messages
 *     { type: "offer", urls, secret }          player: it relays for others; the host mints credentials from the secret
 *     { type: "withdraw" }                     player: no longer, though for a second more it still does
 *     { type: "relays", add, remove, turn }    host: its relayed candidates that are new and those that are gone, and, as credentials of
 *                                              TURN servers, the relays that a player may use itself from now on
 *
 * They are sent only where the host named its version in its reply to a connect request. Nothing here is Node's.
 */
import { parseTurnAccess, type TurnAccess } from "../../rendezvous/wire/servers.ts";

export const RELAYING_CHANNEL = 254;
export const RELAYING_PROTOCOL = 1;
const MAX_RELAYING_BYTES = 3500;
/** The host asks a relay by which it was only named: three bytes for each that it was told (RFC 9000 section 8). */
const OFFER_BYTES = 1200;
const MAX_URLS = 4;
const MAX_CANDIDATES = 8;
/** Addresses are written out, so that nobody looks up names at a stranger's word. */
const URL_OF_ADDRESS: RegExp = /^turn:(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]{2,45}\]):\d{1,5}\?transport=(?:udp|tcp)$/i;
const SECRET: RegExp = /^[\w-]{22,128}$/;

/** What a host takes of one player's computer; `protocol` is the version of these messages. */
export interface RelayingTerms {
  protocol: number;
  /** Undefined where no player is to relay. */
  kbps?: number;
  gb?: number;
}

export interface OfferMessage {
  type: "offer";
  urls: string[];
  secret: string;
}

export interface RelaysMessage {
  type: "relays";
  /** As `candidateToJSON` writes them; who reads them checks them. */
  add: readonly unknown[];
  remove: readonly unknown[];
  turn: TurnAccess[];
}

export type RelayingMessage = { type: "hello" } | OfferMessage | { type: "withdraw" } | RelaysMessage;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeRelaying(message: RelayingMessage): Uint8Array {
  const encoded = encoder.encode(JSON.stringify(message));
  const missing = OFFER_BYTES - encoded.length - ',"pad":""'.length;
  if (message.type !== "offer" || missing < 0) return encoded;
  return encoder.encode(JSON.stringify({ ...message, pad: "0".repeat(missing) }));
}

/** Undefined for whatever is none. */
export function parseRelaying(bytes: Uint8Array): RelayingMessage | undefined {
  if (bytes.length > MAX_RELAYING_BYTES) return undefined;
  let value: Record<string, unknown>;
  try {
    const said: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof said !== "object" || said === null) return undefined;
    value = said as Record<string, unknown>;
  } catch {
    return undefined;
  }
  switch (value["type"]) {
    case "hello":
    case "withdraw":
      return { type: value["type"] };
    case "offer": {
      const offer = parseOffer(value);
      return offer && { type: "offer", ...offer };
    }
    case "relays":
      return {
        type: "relays",
        add: listOf(value["add"]),
        remove: listOf(value["remove"]),
        turn: parseTurnAccesses(value["turn"]),
      };
    default:
      return undefined;
  }
}

/** What a player offers, checked; undefined for anything else. */
export function parseOffer({ urls, secret }: Record<string, unknown>): Omit<OfferMessage, "type"> | undefined {
  if (!Array.isArray(urls) || urls.length === 0 || urls.length > MAX_URLS) return undefined;
  if (typeof secret !== "string" || !SECRET.test(secret)) return undefined;
  const named = urls.filter((url): url is string => typeof url === "string" && URL_OF_ADDRESS.test(url));
  return named.length === urls.length ? { urls: named, secret } : undefined;
}

/** Those that are well-formed. */
export function parseTurnAccesses(value: unknown): TurnAccess[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_URLS).flatMap((each) => {
    try {
      return [parseTurnAccess(each)];
    } catch {
      return [];
    }
  });
}

/** What a host said of its terms; undefined where it speaks another version, or said nothing. */
export function parseTerms(value: unknown): RelayingTerms | undefined {
  const { protocol, kbps, gb } = (value ?? {}) as Partial<Record<keyof RelayingTerms, unknown>>;
  if (protocol !== RELAYING_PROTOCOL) return undefined;
  if (!isAmount(kbps) || !isAmount(gb)) return { protocol };
  return { protocol, kbps, gb };
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value.slice(0, MAX_CANDIDATES) : []);
const isAmount = (value: unknown): value is number => typeof value === "number" && value > 0;
