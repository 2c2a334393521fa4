/**
 * IP addresses as text and as bytes: the one parser.
 *
 * It reads what POSIX `inet_pton` reads, and nothing looser: RFC 6943 section 3.1.1 shows how `010.0.0.1`, `10.1` and `0xa.0.0.1`
 * mean one host to one program and another host to the next. It writes what RFC 5952 writes, so that equal addresses are equal text.
 * Zones (RFC 4007 section 11) are kept in text, since an address without its zone cannot be dialled; bytes have none.
 */

/** An address, read. */
export interface IPAddress {
  /** 4 or 16 bytes in network order. An IPv4-mapped IPv6 address has 16. */
  readonly bytes: Uint8Array;
  /** The interface of a link-local address: its name, on Windows its number. */
  readonly zone: string | undefined;
}

/** `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255` */
const MAX_TEXT = 45;
/** More than any system's names of interfaces have. */
const MAX_ZONE = 64;
/** RFC 6874's unreserved characters, and the colon of Linux' aliases (`eth0:1`). No second zone, no blank: no socket takes them. */
const ZONE = /^[\w.~:-]+$/;

const DOT = 0x2e;
const COLON = 0x3a;
const PERCENT = "%";

/** Into which all text is read first. */
const scratch = new Uint8Array(16);

/** The address and its zone; `undefined` for text that is no address. */
export function parseAddress(text: string): IPAddress | undefined {
  const family = read(text);
  if (family === 0) return undefined;
  const at = family === 6 ? text.indexOf(PERCENT) : -1;
  return { bytes: scratch.slice(0, family === 4 ? 4 : 16), zone: at < 0 ? undefined : text.slice(at + 1) };
}

/**
 * The 4 or 16 bytes of an address in network order; `undefined` for text that is no address. The zone is left out: it means
 * nothing outside this machine (RFC 4007 section 6).
 */
export function addressBytes(text: string): Uint8Array | undefined {
  const family = read(text);
  return family === 0 ? undefined : scratch.slice(0, family === 4 ? 4 : 16);
}

/** 4, or 6 (also for an IPv4-mapped address and for one with a zone), or 0 for text that is no address. */
export function addressFamily(text: string): 4 | 6 | 0 {
  return read(text);
}

/**
 * The one text of an address, in which the system names senders: addresses are equal if their canonical texts are. An
 * IPv4-mapped address (RFC 4291 section 2.5.5.2) is its IPv4 address. The zone is kept. `undefined` for text that is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  const family = read(text);
  if (family === 0) return undefined;
  // The strict reader takes one text of each IPv4 address.
  if (family === 4) return text;
  const at = text.indexOf(PERCENT);
  if (at >= 0) return formatAddress(scratch) + text.slice(at);
  return formatAddress(isMapped(scratch) ? scratch.subarray(12) : scratch);
}

/**
 * Whether a host is meant as an IPv4 address, whatever is wrong with it: its last label is a number, which no domain's is (WHATWG
 * URL, "ends in a number"). Resolvers read such text by looser rules than ours, so it must not reach one.
 */
export function endsInNumber(host: string): boolean {
  return /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(host);
}

/** As RFC 5952 section 4 writes it; an IPv4-mapped address as `::ffff:a.b.c.d` (section 5). @throws {RangeError} for other lengths than 4 and 16 */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatIPv4(bytes, 0);
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  if (isMapped(bytes)) return `::ffff:${formatIPv4(bytes, 12)}`;
  // The first of the longest runs of two or more zero groups becomes "::".
  let [start, length] = [-1, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groupAt(bytes, to) === 0) to++;
    if (to - from > length) [start, length] = [from, to - from];
    from = to;
  }
  let text = "";
  for (let group = 0; group < 8; group++) {
    if (group === start) {
      text += "::";
      group += length - 1;
      continue;
    }
    if (text !== "" && !text.endsWith(":")) text += ":";
    text += groupAt(bytes, group).toString(16);
  }
  return text;
}

function formatIPv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Whether 16 bytes are an IPv4-mapped address, `::ffff:0:0/96`. */
export function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** 16 bytes for an address of either family: IPv4 becomes IPv4-mapped. */
export function toMapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16).fill(0xff, 10, 12);
  mapped.set(bytes, 12);
  return mapped;
}

/** 4 bytes for an IPv4-mapped address, else the bytes themselves. */
export function fromMapped(bytes: Uint8Array): Uint8Array {
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** The text without its zone. */
export function withoutZone(text: string): string {
  const at = text.indexOf(PERCENT);
  return at < 0 ? text : text.slice(0, at);
}

/** The zone in the text; `undefined` where it has none. */
export function zoneIn(text: string): string | undefined {
  const at = text.indexOf(PERCENT);
  return at < 0 ? undefined : text.slice(at + 1);
}

/** The same address in this zone and no other: some systems name the zone already, and two are none. */
export function withZone(text: string, zone: string): string {
  return `${withoutZone(text)}${PERCENT}${zone}`;
}

/** Reads text into `scratch`. */
function read(text: string): 4 | 6 | 0 {
  if (text.length <= 15 && text.indexOf(":") < 0) return readIPv4(text, 0, text.length, 0) ? 4 : 0;
  const at = text.indexOf(PERCENT);
  const end = at < 0 ? text.length : at;
  if (end > MAX_TEXT || !readIPv6(text, end)) return 0;
  if (at < 0) return 6;
  // An IPv4 address has no zone, however it is written.
  if (text.length - at - 1 > MAX_ZONE || isMapped(scratch)) return 0;
  return ZONE.test(text.slice(at + 1)) ? 6 : 0;
}

/** Four decimal numbers without leading zeros, from `from` to before `to`, into four bytes at `at`. */
function readIPv4(text: string, from: number, to: number, at: number): boolean {
  let part = 0;
  let value = -1;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (value < 0 || part === 3) return false;
      scratch[at + part] = value;
      part++;
      value = -1;
      continue;
    }
    const digit = code - 0x30;
    // After a first 0 only a dot may come.
    if (digit < 0 || digit > 9 || value === 0) return false;
    value = value < 0 ? digit : value * 10 + digit;
    if (value > 255) return false;
  }
  if (value < 0 || part !== 3) return false;
  scratch[at + 3] = value;
  return true;
}

/** RFC 4291 section 2.2, all three forms, up to before `to`. */
function readIPv6(text: string, to: number): boolean {
  let at = 0;
  let gap = -1;
  let i = 0;
  if (text.startsWith("::")) {
    gap = 0;
    i = 2;
  }
  while (i < to) {
    if (at === 16) return false;
    const start = i;
    let value = 0;
    for (let digit = 0; i < to && (digit = hexDigit(text.charCodeAt(i))) >= 0; i++) value = value * 16 + digit;
    if (i < to && text.charCodeAt(i) === DOT) {
      if (at > 12 || !readIPv4(text, start, to, at)) return false;
      at += 4;
      break;
    }
    if (i === start || i - start > 4) return false;
    scratch[at] = value >> 8;
    scratch[at + 1] = value & 0xff;
    at += 2;
    if (i === to) break;
    if (text.charCodeAt(i) !== COLON) return false;
    i++;
    // A colon at the end stands for nothing, but for the second one of "::".
    if (i === to) return false;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gap >= 0) return false;
    gap = at;
    i++;
  }
  if (gap < 0) return at === 16;
  // "::" stands for one group at least.
  if (at === 16) return false;
  scratch.copyWithin(16 - (at - gap), gap, at);
  scratch.fill(0, gap, 16 - (at - gap));
  return true;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

function groupAt(bytes: Uint8Array, group: number): number {
  return ((bytes[2 * group] ?? 0) << 8) | (bytes[2 * group + 1] ?? 0);
}
