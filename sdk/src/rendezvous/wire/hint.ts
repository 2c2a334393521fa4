/**
 * What a whole link of `public` says beyond code and seal, so that its holder needs no slow hash to find the relays:
 *
 * ```
 * u16 LE rank: orders the relays (mailbox/ranking.ts) | u8 length | relays that are in no default list, between line feeds
 * ```
 *
 * It is written in base64url: four characters where no relay is named. The length tells a link that has lost its end.
 */
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { parseRelayUrl } from "./relay-url.ts";

export interface RelayHint {
  /** 0-65535. */
  rank: number;
  /** URLs, at most {@link MAX_HINTED_RELAYS}. */
  relays: string[];
}

const HEADER_BYTES = 3;
const MAX_TEXT_BYTES = 255;
export const MAX_HINTED_RELAYS = 8;

/** Relays that have no room are left out: the others do. */
export function formatHint({ rank, relays }: RelayHint): string {
  const encoder = new TextEncoder();
  let text = new Uint8Array(0);
  for (let n = 1; n <= Math.min(relays.length, MAX_HINTED_RELAYS); n++) {
    const longer = encoder.encode(relays.slice(0, n).join("\n"));
    if (longer.length > MAX_TEXT_BYTES) break;
    text = longer;
  }
  const bytes = new Uint8Array(HEADER_BYTES + text.length);
  bytes[0] = rank & 0xff;
  bytes[1] = rank >> 8;
  bytes[2] = text.length;
  bytes.set(text, HEADER_BYTES);
  return toBase64Url(bytes);
}

/** Undefined for whatever is none, also one of which a character was lost. */
export function parseHint(text: string): RelayHint | undefined {
  if (text.length > 400) return undefined;
  const bytes = fromBase64Url(text);
  if (bytes === undefined || toBase64Url(bytes) !== text) return undefined;
  const [low = 0, high = 0, length] = bytes;
  if (length === undefined || bytes.length !== HEADER_BYTES + length) return undefined;
  const named = new TextDecoder().decode(bytes.subarray(HEADER_BYTES));
  const relays = named === "" ? [] : named.split("\n").slice(0, MAX_HINTED_RELAYS);
  if (relays.some((url) => parseRelayUrl(url) === undefined)) return undefined;
  return { rank: low | (high << 8), relays };
}
