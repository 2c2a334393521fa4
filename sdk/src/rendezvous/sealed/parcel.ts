/**
 * Records (records.ts) through relays, which repeat, drop and swap messages and let strangers write: each parcel is numbered and sealed,
 * and what does not open is dropped without a word.
 *
 * ```
 * u8 PARCEL | 8 bytes: the conversation | u32 LE number | sealed: u32 LE record, u32 LE next, u32 LE after, the record
 * ```
 *
 * `number` is the nonce, another one for each parcel. `record` counts the records of this direction; NO_RECORD: none is in it. `next` is
 * the first record of the other direction that has not come, and `after` has a bit for each of the 32 behind it that has. What is not
 * acknowledged is sent again. No I/O.
 */
import { ReplayWindow } from "../../netcode/replay.ts";
import { type CipherState, TAG_BYTES } from "./noise.ts";
import { MAX_RECORD_BYTES, RECORD_SIZES } from "./records.ts";

/** First bytes of what is published: an opening is the first message of a guest, and the answer to it. */
export const OPENING = 1;
export const PARCEL = 2;
/** Names a conversation for those who take part: a part of its handshake's hash. */
export const CONVERSATION_BYTES = 8;
const NUMBER_BYTES = 4;
export const PARCEL_HEADER_BYTES: number = 1 + CONVERSATION_BYTES + NUMBER_BYTES;
const FIELDS_BYTES = 12;
const NO_RECORD = 0xffff_ffff;

/** Records that are on their way at once; the rest waits. */
const WINDOW = 32;
/** A record is sent again, each time after twice as long, and given up after the last. */
const MAX_ATTEMPTS = 4;
/** The first wait: before the round trip is known, and its bounds afterwards, ms. Round trips through relays beyond the sea take 0.6 s. */
const AGAIN_MS = { unknown: 1000, least: 600, most: 2000 } as const;
/** An answer that carries the acknowledgement is waited for so long, ms. */
const ACKNOWLEDGE_MS = 200;
/** What one conversation may cost its relays, parcels. */
const MAX_PARCELS = 400;

export interface ParcelStreamOptions {
  /** CONVERSATION_BYTES. */
  conversation: Uint8Array;
  send: CipherState;
  receive: CipherState;
  /** Records that went with the opening, and came with it. */
  sent: number;
  received: number;
  /** @param attempt 0, or how many times the record was sent before */
  emit: (parcel: Uint8Array, attempt: number) => void;
  deliver: (record: Uint8Array) => void;
  /** A record has been sent in vain. */
  onGivenUp: () => void;
  now: () => number;
}

interface Unacknowledged {
  record: Uint8Array;
  attempts: number;
  sentAt: number;
  dueAt: number;
}

export class ParcelStream {
  readonly #options: ParcelStreamOptions;
  readonly #waiting: Uint8Array[] = [];
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  /** Records that came before their turn. */
  readonly #early = new Map<number, Uint8Array>();
  /** Parcels far behind the newest count as copies. */
  readonly #numbers = new ReplayWindow();
  #nextToSend: number;
  #nextToCome: number;
  #acknowledgeAt = Number.POSITIVE_INFINITY;
  #parcels = 0;
  /** Smoothed, ms; of records that were sent once. */
  #roundTripMs: number | undefined;

  constructor(options: ParcelStreamOptions) {
    this.#options = options;
    this.#nextToSend = options.sent;
    this.#nextToCome = options.received;
  }

  /** When {@link tick} has something to do; Infinity: nothing. */
  get dueAt(): number {
    let due = this.#acknowledgeAt;
    for (const { dueAt } of this.#unacknowledged.values()) due = Math.min(due, dueAt);
    return due;
  }

  sendRecord(record: Uint8Array): void {
    this.#waiting.push(record);
    this.#pump();
  }

  /** False for whatever is no parcel of the other side's, or a copy. */
  receive(content: Uint8Array): boolean {
    const size = content.length - PARCEL_HEADER_BYTES - FIELDS_BYTES - TAG_BYTES;
    if (size < 0 || size > MAX_RECORD_BYTES) return false;
    const view = new DataView(content.buffer, content.byteOffset, content.length);
    const number = view.getUint32(1 + CONVERSATION_BYTES, true);
    if (!this.#numbers.accepts(number, 0)) return false;
    const plain = this.#options.receive.decryptNumbered(number, content.subarray(PARCEL_HEADER_BYTES));
    if (plain === undefined) return false;
    this.#numbers.record(number, 0);
    const fields = new DataView(plain.buffer, plain.byteOffset, FIELDS_BYTES);
    this.#onAcknowledged(fields.getUint32(4, true), fields.getUint32(8, true));
    const record = fields.getUint32(0, true);
    if (record !== NO_RECORD) this.#onRecord(record, plain.subarray(FIELDS_BYTES));
    this.#pump();
    return true;
  }

  tick(): void {
    const now = this.#options.now();
    for (const [record, entry] of this.#unacknowledged) {
      if (entry.dueAt > now) continue;
      if (entry.attempts >= MAX_ATTEMPTS) return this.#options.onGivenUp();
      this.#emit(record, entry);
    }
    if (this.#acknowledgeAt <= now) this.#emitParcel(NO_RECORD, new Uint8Array(RECORD_SIZES[0] ?? 0), 0);
  }

  #onRecord(record: number, content: Uint8Array): void {
    // A copy too: the acknowledgement of the first was lost.
    this.#acknowledgeAt = Math.min(this.#acknowledgeAt, this.#options.now() + ACKNOWLEDGE_MS);
    if (record < this.#nextToCome || record >= this.#nextToCome + WINDOW || this.#early.has(record)) return;
    this.#early.set(record, content);
    for (;;) {
      const next = this.#early.get(this.#nextToCome);
      if (next === undefined) return;
      this.#early.delete(this.#nextToCome++);
      this.#options.deliver(next);
    }
  }

  #onAcknowledged(next: number, after: number): void {
    for (const [record, { attempts, sentAt }] of this.#unacknowledged) {
      const behind = record - next - 1;
      if (record >= next && !(behind >= 0 && behind < 32 && (after >>> behind) & 1)) continue;
      this.#unacknowledged.delete(record);
      if (attempts > 1) continue;
      const sample = this.#options.now() - sentAt;
      this.#roundTripMs = this.#roundTripMs === undefined ? sample : this.#roundTripMs * 0.75 + sample * 0.25;
    }
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#unacknowledged.size < WINDOW) {
      const record = this.#waiting.shift();
      if (record === undefined) return;
      const entry = { record, attempts: 0, sentAt: 0, dueAt: 0 };
      this.#unacknowledged.set(this.#nextToSend, entry);
      this.#emit(this.#nextToSend++, entry);
    }
  }

  #emit(record: number, entry: Unacknowledged): void {
    const attempt = entry.attempts++;
    entry.sentAt = this.#options.now();
    entry.dueAt = entry.sentAt + this.#againMs() * 2 ** attempt;
    this.#emitParcel(record, entry.record, attempt);
  }

  #emitParcel(record: number, content: Uint8Array, attempt: number): void {
    this.#acknowledgeAt = Number.POSITIVE_INFINITY;
    if (++this.#parcels > MAX_PARCELS) return;
    const { conversation, send, emit } = this.#options;
    const plain = new Uint8Array(FIELDS_BYTES + content.length);
    const fields = new DataView(plain.buffer);
    fields.setUint32(0, record, true);
    fields.setUint32(4, this.#nextToCome, true);
    fields.setUint32(8, this.#earlyBits(), true);
    plain.set(content, FIELDS_BYTES);
    const number = send.next;
    const sealed = send.encrypt(plain);
    const parcel = new Uint8Array(PARCEL_HEADER_BYTES + sealed.length);
    parcel[0] = PARCEL;
    parcel.set(conversation, 1);
    new DataView(parcel.buffer).setUint32(1 + CONVERSATION_BYTES, number, true);
    parcel.set(sealed, PARCEL_HEADER_BYTES);
    emit(parcel, attempt);
  }

  #againMs(): number {
    if (this.#roundTripMs === undefined) return AGAIN_MS.unknown;
    return Math.min(AGAIN_MS.most, Math.max(AGAIN_MS.least, this.#roundTripMs * 1.5 + ACKNOWLEDGE_MS));
  }

  #earlyBits(): number {
    let bits = 0;
    for (const record of this.#early.keys()) bits |= 1 << (record - this.#nextToCome - 1);
    return bits >>> 0;
  }
}
