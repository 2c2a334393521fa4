/**
 * What is sealed: records of three sizes only, so that whoever relays them learns little from their length. A message
 * longer than one record takes several.
 *
 * ```
 * u8 type (highest bit: more of it follows) | u16 LE length | what it carries | zeros up to the size
 * ```
 */
import { type CipherState, TAG_BYTES } from "./noise.ts";

/** Before sealing. The largest, sealed, fits into 4 KiB, the default limit of Colyseus' WebSocket transport. */
export const RECORD_SIZES: readonly number[] = [256, 1024, 3072];
const LARGEST = 3072;
const HEADER_BYTES = 3;
const MORE = 0x80;
export const MAX_RECORD_BYTES: number = LARGEST + TAG_BYTES;
/** 16 KiB. */
export const MAX_MESSAGE_BYTES = 16_384;

/** `ready` says nothing; it proves that the player's first message was no copy of an older one. */
export const RECORD = { message: 1, details: 2, close: 3, ready: 4 } as const;
export type RecordType = (typeof RECORD)[keyof typeof RECORD];

/** What seals a record, and opens the next one. */
export type Sealer = Pick<CipherState, "encrypt" | "decrypt">;

/** Where records are sealed on the way: in parcels (parcel.ts). */
export const SEALED_ON_THE_WAY: Sealer = { encrypt: (record) => record, decrypt: (record) => record };

/** How many records a message of this many bytes takes. */
export function recordsOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / (LARGEST - HEADER_BYTES)));
}

/** In the order in which they must be sent. */
export function sealRecords(cipher: Sealer, type: RecordType, content: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  let at = 0;
  do {
    const part = content.subarray(at, at + LARGEST - HEADER_BYTES);
    at += part.length;
    const size = RECORD_SIZES.find((candidate) => candidate >= part.length + HEADER_BYTES) ?? LARGEST;
    const plain = new Uint8Array(size);
    plain[0] = at < content.length ? type | MORE : type;
    plain[1] = part.length & 0xff;
    plain[2] = part.length >> 8;
    plain.set(part, HEADER_BYTES);
    records.push(cipher.encrypt(plain));
  } while (at < content.length);
  return records;
}

export interface OpenedRecord {
  type: RecordType;
  content: Uint8Array;
}

/** Puts messages together again. What it does not understand ends the conversation: the other side sealed it so. */
export class RecordReader {
  readonly #cipher: Sealer;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #type: RecordType | undefined;

  constructor(cipher: Sealer) {
    this.#cipher = cipher;
  }

  /** `"more"`: wait for the next. `"forged"`: not the very next record of the other side. `"malformed"`: it is, and is none. */
  read(record: Uint8Array): OpenedRecord | "more" | "forged" | "malformed" {
    if (record.length > MAX_RECORD_BYTES) return "forged";
    const plain = this.#cipher.decrypt(record);
    if (plain === undefined) return "forged";
    if (plain.length < HEADER_BYTES) return "malformed";
    const [head = 0, low = 0, high = 0] = plain;
    const length = low | (high << 8);
    const type = typeOf(head & ~MORE);
    if (type === undefined || length > plain.length - HEADER_BYTES) return "malformed";
    if (this.#type !== undefined && this.#type !== type) return "malformed";
    this.#bytes += length;
    if (this.#bytes > MAX_MESSAGE_BYTES) return "malformed";
    const more = (head & MORE) !== 0;
    // A part that adds nothing could go on for ever.
    if (more && length === 0) return "malformed";
    this.#parts.push(plain.subarray(HEADER_BYTES, HEADER_BYTES + length));
    this.#type = type;
    if (more) return "more";
    const content = this.#whole();
    this.#parts = [];
    this.#bytes = 0;
    this.#type = undefined;
    return { type, content };
  }

  #whole(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

function typeOf(value: number): RecordType | undefined {
  return Object.values(RECORD).find((type) => type === value);
}
