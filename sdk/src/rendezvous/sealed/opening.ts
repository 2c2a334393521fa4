/**
 * The first message of a guest through relays, and its answer, as Noise carries them. Both bring records along, so that the usual join
 * takes no third message:
 *
 * ```
 * of the guest: 16 bytes: makes its topics | u32 LE seconds since 1970 | records
 * of the host:  records
 * records:      u8 how many | for each: u16 LE length, the record
 * ```
 */
import { concat } from "./noise.ts";
import { MAX_RECORD_BYTES } from "./records.ts";

const SEED_BYTES = 16;
const TIME_BYTES = 4;
/** Ready, and the search for a path; details, and its answer: with room for more. */
const MAX_RECORDS = 6;

export interface GuestOpening {
  seed: Uint8Array;
  /** By the guest's clock, s. */
  unixSeconds: number;
  records: Uint8Array[];
}

/** How many records of the first ones fit into so many bytes. */
export function recordsThatFit(records: readonly Uint8Array[], bytes: number): number {
  let left = bytes - 1;
  let n = 0;
  for (const { length } of records) {
    left -= 2 + length;
    if (left < 0 || n === MAX_RECORDS) break;
    n++;
  }
  return n;
}

export function encodeGuestOpening({ seed, unixSeconds, records }: GuestOpening): Uint8Array {
  const time = new Uint8Array(TIME_BYTES);
  new DataView(time.buffer).setUint32(0, unixSeconds, true);
  return concat(seed, time, encodeRecords(records));
}

/** Undefined for what is none. */
export function parseGuestOpening(payload: Uint8Array): GuestOpening | undefined {
  if (payload.length < SEED_BYTES + TIME_BYTES) return undefined;
  const records = parseRecords(payload.subarray(SEED_BYTES + TIME_BYTES));
  if (records === undefined) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return { seed: payload.slice(0, SEED_BYTES), unixSeconds: view.getUint32(SEED_BYTES, true), records };
}

export function encodeRecords(records: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(records.length)];
  for (const record of records) parts.push(Uint8Array.of(record.length & 0xff, record.length >> 8), record);
  return concat(...parts);
}

/** Undefined for what are none. */
export function parseRecords(bytes: Uint8Array): Uint8Array[] | undefined {
  const [count = 0] = bytes;
  if (count > MAX_RECORDS) return undefined;
  const records: Uint8Array[] = [];
  let at = 1;
  for (let i = 0; i < count; i++) {
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    at += 2;
    if (length > MAX_RECORD_BYTES || at + length > bytes.length) return undefined;
    records.push(bytes.slice(at, at + length));
    at += length;
  }
  return at === bytes.length ? records : undefined;
}
