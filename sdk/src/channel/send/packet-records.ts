import type { SentPackets } from "../recovery/sent-packets.ts";
import type { OutgoingMessage } from "./outgoing-message.ts";

/** What a reliable frame of a sent packet carried. */
export interface PacketRecord {
  message: OutgoingMessage;
  /** First block and count; count 0: the whole message. */
  first: number;
  count: number;
  /** The data is on its way in another packet too: the loss of this one is of no concern. */
  moved: boolean;
}

/** The most reliable frames that one packet may hold. */
export const MAX_RECORDS_PER_PACKET = 255;

/**
 * Which reliable messages each of the last 256 packets carried: a ring of records in the order of sending. It grows to
 * what the traffic needs, at most 256 times 255.
 */
export class PacketRecords {
  #messages: (OutgoingMessage | undefined)[] = Array.from({ length: 64 });
  #serials: Float64Array = new Float64Array(64);
  #firsts: Uint32Array = new Uint32Array(64);
  #counts: Uint16Array = new Uint16Array(64);
  #moved: Uint8Array = new Uint8Array(64);
  readonly #sent: SentPackets;
  #head = 0;
  #tail = 0;
  #slot = 0;

  /** @param sent keeps for each packet where its records are */
  constructor(sent: SentPackets) {
    this.#sent = sent;
  }

  /** The records that follow belong to the packet in `slot`; what the slot had is forgotten. */
  begin(slot: number): void {
    // An empty one says nothing: it may have been begun a moment ago, for a packet that was not sent.
    const length = this.#sent.recordsCount(slot);
    if (length > 0) this.#tail = Math.max(this.#tail, this.#sent.recordsStart(slot) + length);
    this.#slot = slot;
    this.#sent.setRecords(slot, this.#head, 0);
  }

  /** How many records the packet begun has. */
  get length(): number {
    return this.#sent.recordsCount(this.#slot);
  }

  add(message: OutgoingMessage, first: number, count: number): void {
    if (this.#head - this.#tail === this.#messages.length) this.#grow();
    const index = this.#head++ & (this.#messages.length - 1);
    this.#messages[index] = message;
    this.#serials[index] = message.serial;
    this.#firsts[index] = first;
    this.#counts[index] = count;
    this.#moved[index] = 0;
    this.#sent.setRecords(this.#slot, this.#sent.recordsStart(this.#slot), this.length + 1);
  }

  /** How many records the packet in `slot` has; see {@link read}. */
  count(slot: number): number {
    return this.#sent.recordsCount(slot);
  }

  /** Reads a record into `record`. @returns false if its message is no longer waited for. */
  read(slot: number, n: number, record: PacketRecord): boolean {
    const index = (this.#sent.recordsStart(slot) + n) & (this.#messages.length - 1);
    const message = this.#messages[index];
    if (message === undefined || message.serial !== this.#serials[index]) return false;
    record.message = message;
    record.first = this.#firsts[index] ?? 0;
    record.count = this.#counts[index] ?? 0;
    record.moved = this.#moved[index] === 1;
    return true;
  }

  /** The record's data will be sent in another packet. */
  move(slot: number, n: number): void {
    this.#moved[(this.#sent.recordsStart(slot) + n) & (this.#messages.length - 1)] = 1;
  }

  #grow(): void {
    const size = this.#messages.length;
    const messages = Array.from<OutgoingMessage | undefined>({ length: size * 2 });
    const serials = new Float64Array(size * 2);
    const firsts = new Uint32Array(size * 2);
    const counts = new Uint16Array(size * 2);
    const moved = new Uint8Array(size * 2);
    for (let i = this.#tail; i < this.#head; i++) {
      const from = i & (size - 1);
      const to = i & (size * 2 - 1);
      messages[to] = this.#messages[from];
      serials[to] = this.#serials[from] ?? 0;
      firsts[to] = this.#firsts[from] ?? 0;
      counts[to] = this.#counts[from] ?? 0;
      moved[to] = this.#moved[from] ?? 0;
    }
    this.#messages = messages;
    this.#serials = serials;
    this.#firsts = firsts;
    this.#counts = counts;
    this.#moved = moved;
  }
}
