import { canonicalAddress, formatAddress, withoutZone } from "./address.ts";

/** A row of a system's routing table, as far as a default route may be made of it. */
export interface Route {
  readonly family: 4 | 6;
  /** One of {@link WHOLES}. */
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

/**
 * Sets of destinations that together are the internet, by how narrow they are: the narrower ones are used first. VPNs lay halves over
 * the default route of the machine, which they leave as it is.
 */
export const WHOLES: readonly (readonly string[])[] = [
  ["2000::/4", "3000::/4"],
  ["2000::/3"],
  ["0.0.0.0/1", "128.0.0.0/1"],
  ["::/1", "8000::/1"],
  ["0.0.0.0/0"],
  ["::/0"],
];

const PARTS: ReadonlySet<string> = new Set(WHOLES.flat());

/** The lines of a table. One that is not ended was cut off, and its numbers may be too. */
export function* linesOf(text: string): Generator<string> {
  for (let from = 0; ; ) {
    const to = text.indexOf("\n", from);
    if (to < 0) return;
    yield text.slice(from, to);
    from = to + 1;
  }
}

export function wordsOf(line: string): string[] {
  return line.split(/\s+/).filter(Boolean);
}

/** `0.0.0.0/1`; `undefined` for a destination that is no part of a default route. */
export function partOfDefault(network: Uint8Array, prefixLength: number): string | undefined {
  const destination = `${formatAddress(network)}/${prefixLength}`;
  return PARTS.has(destination) ? destination : undefined;
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
