import {
  ACK_DELAY_UNITS_PER_MS,
  ACK_DELAY_UNKNOWN,
  CONTROL_ACK_DELAY,
  CONTROL_OLDER_ACKS,
  MAX_ACK_DELAY_MS,
  MAX_OLDER_ACK_BYTES,
  URGENCY,
} from "../wire/frames.ts";
import { sequenceDistance, sequenceNewer } from "../wire/sequence.ts";
import type { ReceivedPackets } from "./received-packets.ts";

/** This many unacknowledged packets are acknowledged at once: of urgent ones fewer (RFC 9000 section 13.2.2 has 2). */
const ACK_AFTER: readonly number[] = [Infinity, 16, 8, 2];
/** Each packet's arrival is told in at least this many of ours, as one may be lost. */
const REPORTS = 3;

/** When to acknowledge what arrived, and what to say beyond the 32 packets that reliable's header has. */
export class AckSchedule {
  readonly #received: ReceivedPackets;
  #waiting = 0;
  #dueAt = Infinity;
  #newestAt = 0;
  /** The `ack` of our last packets, latest first: what lies above the last was told in fewer than REPORTS. */
  readonly #reported: number[] = Array.from({ length: REPORTS }, () => 0xffff);
  /** The oldest packet that came late, behind the header's 32; -1 if none waits. */
  #late = -1;
  #lateReports = 0;
  /** Of the packet written last: the flags for its control byte. */
  flags = 0;

  constructor(received: ReceivedPackets) {
    this.#received = received;
  }

  /** When a packet has to be sent, if only to acknowledge; Infinity if nothing waits for it. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** A packet arrives that {@link ReceivedPackets} does not know yet. */
  onReceived(sequence: number, urgency: number, now: number): void {
    const { ack } = this.#received;
    const newest = sequenceNewer(sequence, ack);
    if (newest) this.#newestAt = now;
    else if (sequenceDistance(ack, sequence) >= 32) this.#noteLate(sequence);
    if (urgency === URGENCY.none) return;
    this.#waiting++;
    this.#dueAt = Math.min(this.#dueAt, now + (MAX_ACK_DELAY_MS[urgency] ?? 0));
    // A gap, or what closes one: the sender wants to know at once (RFC 9000 section 13.2.1).
    const gap = !newest || sequence !== ((ack + 1) & 0xffff);
    if (gap || this.#waiting >= (ACK_AFTER[urgency] ?? 1)) this.#dueAt = now;
  }

  /**
   * Writes ack delay and older acks behind the control byte and sets {@link flags}.
   * @param mostBytes of older acks @returns where they end
   */
  write(out: Uint8Array, offset: number, now: number, mostBytes: number = MAX_OLDER_ACK_BYTES): number {
    this.flags = 0;
    let at = offset;
    const delay = Math.floor((now - this.#newestAt) * ACK_DELAY_UNITS_PER_MS);
    if (delay > 0 && (this.#received.ackBits & 1) === 1) {
      this.flags |= CONTROL_ACK_DELAY;
      out[at++] = Math.min(delay, ACK_DELAY_UNKNOWN);
    }
    const bytes = Math.min(this.#olderBytes(), mostBytes);
    if (bytes > 0) {
      this.flags |= CONTROL_OLDER_ACKS;
      out[at++] = bytes;
      for (let j = 0; j < bytes; j++) out[at++] = this.#olderBits(j);
    }
    return at;
  }

  /** The packet written was sent. */
  onSent(): void {
    this.#waiting = 0;
    this.#dueAt = Infinity;
    for (let i = REPORTS - 1; i > 0; i--) this.#reported[i] = this.#reported[i - 1] ?? 0;
    this.#reported[0] = this.#received.ack;
    if (this.#late >= 0 && ++this.#lateReports >= REPORTS) this.#late = -1;
  }

  #noteLate(sequence: number): void {
    if (this.#late < 0 || sequenceNewer(this.#late, sequence)) this.#late = sequence;
    this.#lateReports = 0;
  }

  #olderBytes(): number {
    const { ack } = this.#received;
    let back = sequenceDistance(ack, this.#reported[REPORTS - 1] ?? ack);
    if (this.#late >= 0) back = Math.max(back, sequenceDistance(ack, this.#late) + 1);
    return back <= 32 ? 0 : Math.min(Math.ceil((back - 32) / 8), MAX_OLDER_ACK_BYTES);
  }

  #olderBits(byte: number): number {
    const received = this.#received;
    let bits = 0;
    for (let k = 0; k < 8; k++) {
      if (received.has((received.ack - 32 - 8 * byte - k) & 0xffff)) bits |= 1 << k;
    }
    return bits;
  }
}
