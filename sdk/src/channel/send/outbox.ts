import type { PathMtu } from "../recovery/path-mtu.ts";
import { SENT_WINDOW, type SentPackets } from "../recovery/sent-packets.ts";
import { MODE_SEQUENCED, messageCost, SLICES_AHEAD_BYTES, URGENCY } from "../wire/frames.ts";
import type { ChannelStats, MessageEndpointOptions } from "../wire/types.ts";
import { CopyQueue } from "./copy-queue.ts";
import { OutgoingMessage } from "./outgoing-message.ts";
import { MAX_RECORDS_PER_PACKET, type PacketRecord, PacketRecords } from "./packet-records.ts";
import { SendSchedule } from "./send-schedule.ts";
import type { SendStream } from "./send-stream.ts";

/** What an unreliable message counts in its queue beyond its bytes. */
const UNRELIABLE_OVERHEAD = 64;
/** Released messages kept for the next ones. */
const KEPT_MESSAGES = 256;
/** Longer messages are not sent twice ahead of any evidence of loss. */
const COPY_MAX_BYTES = 512;
/** When no other packet leaves that could carry the copy along, one is made for it. */
const COPY_ALONE_AFTER_MS = 20;
/** How much a probe sends again. */
export const PROBE_BYTES = 1000;

type OutboxOptions = Pick<Required<MessageEndpointOptions>, "maxBufferedBytes" | "maxUnreliableBufferedBytes" | "held">;

/** The messages that wait for being sent, or for word that they arrived; fills packets with them. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #stats: ChannelStats;
  readonly #mtu: PathMtu;
  readonly #schedule: SendSchedule = new SendSchedule();
  readonly #records: PacketRecords;
  readonly #pool: OutgoingMessage[] = [];
  /** Messages sent once, and sent twice, that a path which loses packets makes worth sending again. */
  readonly #sentOnce: CopyQueue = new CopyQueue();
  readonly #sentTwice: CopyQueue = new CopyQueue();
  readonly #copies: readonly CopyQueue[] = [this.#sentOnce, this.#sentTwice];
  readonly #record: PacketRecord = { message: new OutgoingMessage(), first: 0, count: 0, moved: false };
  #serial = 0;
  /** Reliable messages of which slices were sent, until they are released, and how long they are together. */
  readonly #begun: OutgoingMessage[] = [];
  #begunBytes = 0;
  #unreliableBytes = 0;
  #sequence = 0;
  #now = 0;
  #lossy = false;
  #wholeUrgency = 0;
  #sliceUrgency = 0;
  /** Of the packet filled last: the acknowledgement its contents ask for, and whether it must not be lost. */
  urgency = 0;
  reliable = false;

  constructor(options: OutboxOptions, sent: SentPackets, mtu: PathMtu, stats: ChannelStats) {
    this.#records = new PacketRecords(sent);
    this.#mtu = mtu;
    this.#options = options;
    this.#stats = stats;
  }

  /** Whether anything waits for being sent. */
  get waiting(): boolean {
    return this.#schedule.active.length > 0;
  }

  /** How long the message's frame is that goes next, as far as it is whole; 0 if none waits. */
  get firstWholeBytes(): number {
    const stream = this.#schedule.active[0];
    return (stream?.resendWhole.at(0) ?? stream?.whole.at(0))?.wholeBytes ?? 0;
  }

  /** When a copy is due in a packet of its own; Infinity if none is. */
  get copyAt(): number {
    const message = this.#sentOnce.first(-Infinity);
    return message ? message.lastSentAt + COPY_ALONE_AFTER_MS : Infinity;
  }

  push(data: Uint8Array, mode: number, channel: number, priority: number | undefined): boolean {
    const stream = this.#schedule.stream(mode, channel);
    if (priority !== undefined && priority !== stream.priority) this.#schedule.setPriority(stream, priority);
    if (stream.reliable) {
      const cost = messageCost(data.length);
      if (this.#stats.bufferedBytes + cost > this.#options.maxBufferedBytes || !this.#options.held.take(cost))
        return false;
      this.#stats.bufferedBytes += cost;
    } else if (!this.#makeRoom(data.length, stream)) {
      return false;
    }
    const message = this.#pool.pop() ?? new OutgoingMessage();
    message.fill(data, mode, channel);
    message.serial = ++this.#serial;
    if (this.#needsSlices(message)) message.slice();
    const active = stream.waiting;
    stream.push(message);
    if (!active) this.#schedule.activate(stream);
    this.#stats.messagesSent++;
    return true;
  }

  /**
   * Begins a packet. Frees the place of its records; the packet that held it must be settled.
   *
   * @param lossy whether small messages are worth a copy
   * @param wholeUrgency how soon reliable messages are to be acknowledged
   * @param sliceUrgency how soon slices are
   */
  begin(sequence: number, now: number, lossy: boolean, wholeUrgency: number, sliceUrgency: number): void {
    this.#records.begin(sequence % SENT_WINDOW);
    this.#sequence = sequence;
    this.#now = now;
    this.#lossy = lossy;
    this.#wholeUrgency = wholeUrgency;
    this.#sliceUrgency = sliceUrgency;
    this.urgency = URGENCY.none;
    this.reliable = false;
  }

  /** Writes whole messages that wait, by priority, into `out[offset..limit)`. @returns where they end. */
  fillWhole(out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    for (const stream of this.#schedule.active) {
      at = this.#fillResent(stream, out, at, limit);
      at = this.#fillNew(stream, out, at, limit);
    }
    this.#schedule.rotate();
    return at;
  }

  /** Writes slices that wait. @returns where they end. */
  fillSlices(out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    for (const stream of this.#schedule.active) {
      at = this.#fillResentSlices(stream, out, at, limit);
      at = this.#fillNewSlices(stream, out, at, limit);
      if (at > offset) break;
    }
    this.#schedule.rotate();
    return at;
  }

  /** Writes small reliable messages a second and a third time. @returns where they end. */
  fillCopies(out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    for (const queue of this.#copies) {
      for (let message = queue.due(this.#now); message; message = queue.due(this.#now)) {
        const tooLong = this.#needsSlices(message);
        if (!tooLong && !this.#fits(message, at, limit)) break;
        queue.shift();
        if (tooLong) continue;
        const end = this.#put(message, out, at);
        this.#stats.redundantBytes += end - at;
        at = end;
        if (queue === this.#sentOnce) this.#sentTwice.push(message);
      }
    }
    return at;
  }

  packetAcked(sequence: number): void {
    const slot = sequence % SENT_WINDOW;
    const record = this.#record;
    for (let n = 0; n < this.#records.count(slot); n++) {
      if (!this.#records.read(slot, n, record)) continue;
      const { message, first, count } = record;
      message.ack(first, count);
      if (message.acked) this.#release(this.#schedule.stream(message.mode, message.channel));
    }
  }

  packetLost(sequence: number): void {
    const slot = sequence % SENT_WINDOW;
    const record = this.#record;
    for (let n = 0; n < this.#records.count(slot); n++) {
      if (!this.#records.read(slot, n, record) || record.moved) continue;
      if (record.count > 0 || record.message.lastSequence === sequence) this.#resend(record);
    }
  }

  /** Queues again what a packet in flight carries. @returns how many bytes that is. */
  probe(sequence: number): number {
    const slot = sequence % SENT_WINDOW;
    const record = this.#record;
    let bytes = 0;
    for (let n = 0; n < this.#records.count(slot) && bytes < PROBE_BYTES; n++) {
      if (!this.#records.read(slot, n, record) || record.moved) continue;
      this.#records.move(slot, n);
      bytes += this.#resend(record);
    }
    return bytes;
  }

  clear(): void {
    this.#schedule.clear();
    this.#sentOnce.clear();
    this.#sentTwice.clear();
    this.#options.held.give(this.#stats.bufferedBytes + this.#unreliableBytes);
    this.#stats.bufferedBytes = 0;
    this.#begun.length = 0;
    this.#begunBytes = 0;
    this.#unreliableBytes = 0;
  }

  #resend({ message, first, count }: PacketRecord): number {
    // What was sent whole and is cut by now waits for its slices.
    if (message.acked || (message.blocks && count === 0)) return 0;
    const stream = this.#schedule.stream(message.mode, message.channel);
    const active = stream.waiting;
    const bytes = stream.pushResend(message, first, count);
    if (!active) this.#schedule.activate(stream);
    return bytes;
  }

  #fillResent(stream: SendStream, out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    let released = false;
    for (let message = stream.resendWhole.at(0); message; message = stream.resendWhole.at(0)) {
      if (!message.acked) {
        if (!this.#fits(message, at, limit)) {
          if (!this.#needsSlices(message)) break;
          stream.sliceFirstResend();
          continue;
        }
        at = this.#put(message, out, at);
        this.#stats.retransmissions++;
      } else {
        released = true;
      }
      stream.resendWhole.shift();
      message.resending = false;
    }
    if (released) this.#release(stream);
    return at;
  }

  #fillNew(stream: SendStream, out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    for (let message = stream.whole.at(0); message && !message.blocks; message = stream.whole.at(0)) {
      if (!this.#fits(message, at, limit)) {
        if (!this.#needsSlices(message)) break;
        stream.sliceFirst();
        continue;
      }
      if (!stream.inWindow(message)) break;
      stream.whole.shift();
      if (message.mode === MODE_SEQUENCED) message.id = stream.takeId();
      message.firstSentAt = this.#now;
      at = this.#put(message, out, at);
      if (!stream.reliable) {
        this.#recycleUnreliable(message);
      } else if (this.#lossy && message.length <= COPY_MAX_BYTES) {
        this.#sentOnce.push(message);
      }
    }
    return at;
  }

  #fillResentSlices(stream: SendStream, out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    let released = false;
    for (let message = stream.resendSliced.at(0); message; message = stream.resendSliced.at(0)) {
      const blocks = message.slice();
      const run = message.acked ? undefined : blocks.nextResend();
      if (run) {
        const count = message.writeSlice(out, at, limit, run);
        if (count === 0) break;
        at = this.#putSlice(message, run.first, count);
        blocks.resent(count);
        this.#stats.retransmissions++;
      } else {
        stream.resendSliced.shift();
        message.resending = false;
        released = true;
      }
    }
    if (released) this.#release(stream);
    return at;
  }

  #fillNewSlices(stream: SendStream, out: Uint8Array, offset: number, limit: number): number {
    let at = offset;
    for (let queue = stream.slicedQueue(); queue; queue = stream.slicedQueue()) {
      const message = queue.at(0);
      if (!message?.blocks || !stream.inWindow(message)) break;
      if (stream.reliable && message.blocks.next === 0 && !this.#mayBegin(message)) break;
      if (message.id < 0) message.id = stream.takeId();
      const run = message.blocks.nextNew();
      if (!run) break;
      const count = message.writeSlice(out, at, limit, run);
      if (count === 0) break;
      at = this.#putSlice(message, run.first, count);
      if (stream.reliable && message.blocks.next === 0) this.#begin(message);
      message.blocks.next += count;
      if (message.blocks.next === message.blocks.count) {
        queue.shift();
        if (!stream.reliable) this.#recycleUnreliable(message);
      }
    }
    return at;
  }

  #mayBegin({ length }: OutgoingMessage): boolean {
    const bytes = this.#begunBytes + length;
    if (bytes <= SLICES_AHEAD_BYTES) return true;
    let longest = length;
    for (const begun of this.#begun) longest = Math.max(longest, begun.length);
    return bytes - longest <= SLICES_AHEAD_BYTES;
  }

  #begin(message: OutgoingMessage): void {
    this.#begun.push(message);
    this.#begunBytes += message.length;
  }

  /** Whether it fits no packet of the present size, whatever else that holds. */
  #needsSlices(message: OutgoingMessage): boolean {
    return message.wholeBytes > this.#mtu.frameBytes;
  }

  #fits(message: OutgoingMessage, at: number, limit: number): boolean {
    return at + message.wholeBytes <= limit && this.#records.length < MAX_RECORDS_PER_PACKET;
  }

  #put(message: OutgoingMessage, out: Uint8Array, at: number): number {
    if (message.mode <= MODE_SEQUENCED) {
      this.urgency = Math.max(this.urgency, URGENCY.lazy);
    } else {
      this.#records.add(message, 0, 0);
      message.lastSequence = this.#sequence;
      message.lastSentAt = this.#now;
      this.reliable = true;
      this.urgency = Math.max(this.urgency, this.#wholeUrgency);
    }
    return message.write(out, at);
  }

  #putSlice(message: OutgoingMessage, first: number, count: number): number {
    if (message.mode > MODE_SEQUENCED) {
      this.#records.add(message, first, count);
      this.reliable = true;
    }
    this.urgency = Math.max(this.urgency, this.#sliceUrgency);
    return message.sliceEnd;
  }

  /** Gives back all messages of a stream that are acknowledged, up to the first that is not. */
  #release(stream: SendStream): void {
    for (let message = stream.release(); message; message = stream.release()) {
      const cost = messageCost(message.length);
      const begun = message.blocks ? this.#begun.indexOf(message) : -1;
      if (begun >= 0) {
        this.#begun.splice(begun, 1);
        this.#begunBytes -= message.length;
      }
      this.#stats.bufferedBytes -= cost;
      this.#options.held.give(cost);
      this.#recycle(message);
    }
  }

  #recycle(message: OutgoingMessage): void {
    message.release();
    if (this.#pool.length < KEPT_MESSAGES) this.#pool.push(message);
  }

  #recycleUnreliable(message: OutgoingMessage): void {
    const cost = message.length + UNRELIABLE_OVERHEAD;
    this.#unreliableBytes -= cost;
    this.#options.held.give(cost);
    this.#recycle(message);
  }

  /** Drops the oldest unreliable messages until `bytes` more may wait. */
  #makeRoom(bytes: number, stream: SendStream): boolean {
    const cap = this.#options.maxUnreliableBufferedBytes;
    const cost = bytes + UNRELIABLE_OVERHEAD;
    if (cost > cap) return false;
    while (this.#unreliableBytes + cost > cap) {
      const victim = stream.waiting ? stream : this.#schedule.active.find((other) => !other.reliable);
      const dropped = victim?.whole.shift() ?? victim?.sliced.shift();
      if (!victim || !dropped) return false;
      this.#stats.unreliableDropped++;
      this.#recycleUnreliable(dropped);
      if (!victim.waiting) this.#schedule.deactivate(victim);
    }
    if (!this.#options.held.take(cost)) return false;
    this.#unreliableBytes += cost;
    return true;
  }
}
