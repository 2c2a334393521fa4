import { canonicalAddress, formatAddress, withoutZone } from "../address.ts";

/** A row of a system's routing table, as far as a default route may be made of it. */
export interface Route {
  readonly family: 4 | 6;
  /** `0.0.0.0/0`, `128.0.0.0/1`, `2000::/3`: canonical. */
  readonly destination: string;
  /** Without a zone; `undefined` where what is behind the interface is reached directly. */
  readonly gateway: string | undefined;
  /** How this system's table names the interface: one of the three. */
  readonly through: { readonly name: string } | { readonly index: number } | { readonly address: string };
  /** The lower one is used. */
  readonly metric: number;
}

/** Rows that are kept of one table: there are some dozen interfaces at most, each with a few wide routes. */
export const MAX_ROUTES = 256;

/** Prefixes longer than this are part of no default route. */
export const MAX_PREFIX = 4;

/** The lines of a table. One that is not ended was cut off, and its numbers may be too. */
export function* linesOf(text: string): Generator<string> {
  for (let from = 0; ; ) {
    const to = text.indexOf("\n", from);
    if (to < 0) return;
    yield text.slice(from, to);
    from = to + 1;
  }
}

/** The words of a line. Only blanks part them: in code pages that are read byte by byte, 0xa0 is half of a character. */
export function wordsOf(line: string): string[] {
  return line.split(/[ \t\r]+/).filter(Boolean);
}

/** `0.0.0.0/1`; `undefined` where the prefix is too long for a default route. */
export function wideDestination(network: Uint8Array, prefixLength: number): string | undefined {
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > MAX_PREFIX) return undefined;
  return `${formatAddress(network)}/${prefixLength}`;
}

/** The ones at the beginning of a mask; NaN for one with holes. */
export function maskLength(mask: Uint8Array): number {
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(bits) ? bits.lastIndexOf("1") + 1 : Number.NaN;
}

/** A gateway's address without its zone; `undefined` for all else, which says in some way that the network is on the link. */
export function gatewayIn(word: string, family: 4 | 6): string | undefined {
  const address = canonicalAddress(word);
  return address === undefined || address.includes(":") !== (family === 6) ? undefined : withoutZone(address);
}
