/**
 * How hosts and players find each other on a local network, without anybody's help. No I/O.
 *
 * ```
 * all:                   "SPLN" | u8 version 1 | u8 kind
 * query (1):             text application | zeros up to 256 bytes
 * announcement (2):      8 bytes id | u16 port | u16 players | u16 maxPlayers | text application | text name | text version
 * goodbye (3):           8 bytes id | text application
 * lookup (4):            text endpoint | zeros up to 256 bytes
 * located (5):           8 bytes id | u16 port | text endpoint
 * text:                  u8 length in bytes | UTF-8
 * ```
 *
 * Numbers are in network order. An announcement has at most 256 bytes, so that no query is answered by more than was asked. It
 * names no address: what counts is where it comes from. A lookup asks for the host whom the internet knows as
 * `203.0.113.7:7777`; nobody is told that address who does not know it already.
 */
import { printable } from "../net/printable.ts";

/** IPv4 Local Scope (RFC 2365 section 6.1). */
export const LAN_GROUP_4 = "239.255.90.17";
/** Link-local scope, transient (RFC 4291 section 2.7). */
export const LAN_GROUP_6 = "ff12::5a11";
/** UDP port of announcements. */
export const LAN_PORT = 28_772;

/** What hosts and players name where they name nothing. */
export const DEFAULT_APPLICATION = "sallyport";
/** Of queries and lookups, at least. */
export const QUERY_BYTES = 256;
export const MAX_ANNOUNCEMENT_BYTES = 256;
/** What is longer was written by nobody we know. */
const MAX_PACKET_BYTES = 512;
const MAGIC: Uint8Array = new TextEncoder().encode("SPLN");
const VERSION = 1;
const KIND = { query: 1, announcement: 2, goodbye: 3, lookup: 4, located: 5 } as const;
const HEADER_BYTES = 6;
export const ID_BYTES = 8;
/** In UTF-8. What is longer is shortened. */
export const MAX_APPLICATION_BYTES = 64;
export const MAX_NAME_BYTES = 128;
export const MAX_VERSION_BYTES = 32;
/** The longest IPv6 address in brackets, and a port. */
export const MAX_ENDPOINT_BYTES = 48;
const MAX_COUNT = 65_535;

export interface LanDetails {
  /** Which game this is: hosts and players name the same. Up to 64 bytes. Default "sallyport". */
  application: string;
  /** Shown to players. Up to 128 bytes. */
  name: string;
  /** Of the game, UDP and TCP: 1-65535. */
  port: number;
  /** How many play, 0-65535. */
  players: number;
  /** 0: not said. */
  maxPlayers: number;
  /** Compared by nobody but the game. Up to 32 bytes. */
  version: string;
}

export type LanPacket =
  | { kind: "query"; application: string }
  | ({ kind: "announcement"; id: string } & LanDetails)
  | { kind: "goodbye"; id: string; application: string }
  | { kind: "lookup"; endpoint: string }
  | { kind: "located"; id: string; port: number; endpoint: string };

export function encodeQuery(application: string): Uint8Array {
  const writer = new Writer(KIND.query);
  writer.text(application, MAX_APPLICATION_BYTES);
  return writer.finish(QUERY_BYTES);
}

/** @param id 16 hexadecimal digits that stay the same for one host. */
export function encodeAnnouncement(id: string, details: LanDetails): Uint8Array {
  const writer = new Writer(KIND.announcement);
  writer.id(id);
  for (const value of [details.port, details.players, details.maxPlayers]) writer.u16(value);
  writer.text(details.application, MAX_APPLICATION_BYTES);
  writer.text(details.name, MAX_NAME_BYTES);
  writer.text(details.version, MAX_VERSION_BYTES);
  return writer.finish();
}

export function encodeGoodbye(id: string, application: string): Uint8Array {
  const writer = new Writer(KIND.goodbye);
  writer.id(id);
  writer.text(application, MAX_APPLICATION_BYTES);
  return writer.finish();
}

/** @param endpoint `203.0.113.7:7777` */
export function encodeLookup(endpoint: string): Uint8Array {
  const writer = new Writer(KIND.lookup);
  writer.text(endpoint, MAX_ENDPOINT_BYTES);
  return writer.finish(QUERY_BYTES);
}

/** @param port of the game, at the address from which this comes */
export function encodeLocated(id: string, port: number, endpoint: string): Uint8Array {
  const writer = new Writer(KIND.located);
  writer.id(id);
  writer.u16(port);
  writer.text(endpoint, MAX_ENDPOINT_BYTES);
  return writer.finish();
}

/** Undefined for whatever is none of the five. What follows the known fields is left for later versions. */
export function decodeLanPacket(datagram: Uint8Array): LanPacket | undefined {
  if (datagram.length < HEADER_BYTES || datagram.length > MAX_PACKET_BYTES) return undefined;
  if (MAGIC.some((byte, i) => datagram[i] !== byte) || datagram[4] !== VERSION) return undefined;
  const reader = new Reader(datagram);
  switch (datagram[5] ?? 0) {
    case KIND.query: {
      const application = reader.text(MAX_APPLICATION_BYTES);
      if (datagram.length < QUERY_BYTES || !application) return undefined;
      return { kind: "query", application };
    }
    case KIND.announcement: {
      const [id, port, players, maxPlayers] = [reader.id(), reader.u16(), reader.u16(), reader.u16()];
      const application = reader.text(MAX_APPLICATION_BYTES);
      const name = reader.text(MAX_NAME_BYTES);
      const version = reader.text(MAX_VERSION_BYTES);
      if (id === undefined || !port || players === undefined || maxPlayers === undefined) return undefined;
      if (!application || !name || version === undefined) return undefined;
      return { kind: "announcement", id, application, name, port, players, maxPlayers, version };
    }
    case KIND.goodbye: {
      const [id, application] = [reader.id(), reader.text(MAX_APPLICATION_BYTES)];
      return id === undefined || !application ? undefined : { kind: "goodbye", id, application };
    }
    case KIND.lookup: {
      const endpoint = reader.text(MAX_ENDPOINT_BYTES);
      return datagram.length < QUERY_BYTES || !endpoint ? undefined : { kind: "lookup", endpoint };
    }
    case KIND.located: {
      const [id, port, endpoint] = [reader.id(), reader.u16(), reader.text(MAX_ENDPOINT_BYTES)];
      return id === undefined || !port || !endpoint ? undefined : { kind: "located", id, port, endpoint };
    }
    default:
      return undefined;
  }
}

/** The text as the other side will read it. */
export function shortened(text: string, maxBytes: number): string {
  let clean = printable(text);
  const bytes = new TextEncoder().encode(clean);
  if (bytes.length <= maxBytes) return clean;
  // A character that was cut in two is left out.
  clean = new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true });
  return printable(clean);
}

class Writer {
  readonly #bytes = new Uint8Array(MAX_ANNOUNCEMENT_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = HEADER_BYTES;

  constructor(kind: number) {
    this.#bytes.set(MAGIC);
    this.#bytes[4] = VERSION;
    this.#bytes[5] = kind;
  }

  id(id: string): void {
    for (let i = 0; i < ID_BYTES; i++) this.#bytes[this.#at++] = Number.parseInt(id.slice(i * 2, i * 2 + 2), 16);
  }

  u16(value: number): void {
    this.#view.setUint16(this.#at, Math.min(MAX_COUNT, Math.max(0, Math.trunc(value))));
    this.#at += 2;
  }

  text(text: string, maxBytes: number): void {
    const bytes = new TextEncoder().encode(shortened(text, maxBytes));
    this.#bytes[this.#at++] = bytes.length;
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  finish(length: number = this.#at): Uint8Array {
    return this.#bytes.slice(0, length);
  }
}

/** Each answers undefined, then and ever after, when there is too little left. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = HEADER_BYTES;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  id(): string | undefined {
    const bytes = this.#take(ID_BYTES);
    return bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  u16(): number | undefined {
    const [high, low] = this.#take(2) ?? [];
    return high === undefined || low === undefined ? undefined : high * 256 + low;
  }

  text(maxBytes: number): string | undefined {
    const length = this.#take(1)?.[0];
    if (length === undefined || length > maxBytes) return undefined;
    const bytes = this.#take(length);
    return bytes && printable(new TextDecoder().decode(bytes));
  }

  #take(count: number): Uint8Array | undefined {
    const end = this.#at + count;
    const part = end <= this.#bytes.length ? this.#bytes.subarray(this.#at, end) : undefined;
    this.#at = end;
    return part;
  }
}
