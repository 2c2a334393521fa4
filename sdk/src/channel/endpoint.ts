import { inRange, resolveOptions } from "./options.ts";
import { AckSchedule } from "./receive/ack-schedule.ts";
import { Inbox } from "./receive/inbox.ts";
import { Pacer } from "./recovery/pacer.ts";
import { PathMtu } from "./recovery/path-mtu.ts";
import { Recovery } from "./recovery/recovery.ts";
import { SENT_WINDOW, SentPackets } from "./recovery/sent-packets.ts";
import { ReliableEndpoint } from "./reliable.ts";
import { Outbox, PROBE_BYTES } from "./send/outbox.ts";
import { freshStats } from "./stats.ts";
import {
  ACK_DELAY_UNITS_PER_MS,
  ACK_DELAY_UNKNOWN,
  CONTROL_ACK_DELAY,
  CONTROL_OLDER_ACKS,
  CONTROL_RESERVED,
  CONTROL_URGENCY,
  FEW_OLDER_ACK_BYTES,
  FRAME_PADDING,
  FrameReader,
  MAX_ACK_DELAY_MS,
  MAX_MESSAGE_BYTES,
  MAX_OLDER_ACK_BYTES,
  MAX_PACKET_BYTES,
  MAX_PACKET_OVERHEAD,
  MODE_RELIABLE,
  MODE_SEQUENCED,
  MODES,
  URGENCY,
} from "./wire/frames.ts";
import type {
  ChannelFailure,
  ChannelHandler,
  ChannelStats,
  DeliveryMode,
  MessageEndpointOptions,
  SendOptions,
} from "./wire/types.ts";

/** Beyond, numbers have no room for fractions of a ms. Such a time, or none at all, is taken for no time passed. */
const MAX_TIME_MS = 1e15;
/** A clock that jumps further ahead tells nothing of the path. */
const MAX_STEP_MS = 86_400_000;
/** Packets that bulk leaves of the window, so that a small message never waits for a large one's. */
const RESERVED_BYTES = 2 * MAX_PACKET_BYTES;
/** Bulk leaves no more packets than this on their way: of those sent before {@link SENT_WINDOW} others nothing is remembered. */
const MAX_BULK_PACKETS = SENT_WINDOW - 16;
/** On a longer path, learning of a loss some ms earlier is not worth a packet. */
const SHORT_PATH_MS = 40;
/**
 * Reliable messages that leave this often need no acknowledgement each on a calm path: the next packet tells the peer of a gap, and the
 * peer tells us at once. No longer than a lazy acknowledgement takes, in ms.
 */
const FLOWING_MS = MAX_ACK_DELAY_MS[URGENCY.lazy] ?? 0;
/** In a narrower window, slices wait for acknowledgements: they are asked for soon. */
const WIDE_WINDOW = 32 * MAX_PACKET_BYTES;

/**
 * Messages over packets: reliable 1.0's headers, RFC 9002's loss detection, CUBIC, and frames of several delivery modes
 * and channels; the wire is laid out in PROTOCOL.md. Does no I/O: packets and a time go in, packets and messages
 * come out. One per connection: both peers must begin fresh together.
 *
 * The owner calls {@link receive} for each payload that arrives, then {@link poll} until it answers 0 (and sends what it
 * wrote), and again when {@link nextTimeout} says. Messages sent between two polls share packets.
 */
export class MessageEndpoint {
  readonly #stats: ChannelStats;
  readonly #handler: ChannelHandler;
  readonly #options: Required<MessageEndpointOptions>;
  readonly #mtu: PathMtu;
  readonly #reliable: ReliableEndpoint;
  readonly #acks: AckSchedule;
  readonly #recovery: Recovery;
  readonly #pacer: Pacer = new Pacer();
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #reader: FrameReader = new FrameReader();
  #closed = false;
  /** The peer failed, or was left: nothing is kept of it any more. */
  #isLeft = false;
  /** A message that is sent all the same. */
  #hasFarewell = false;
  /** The handler is being called. */
  #receiving = false;
  /** Own time, which never goes back, and what is to be added to the caller's to get it. */
  #now = -Infinity;
  #clockOffset = 0;
  #ackDelayMs = 0;
  /** A probe timeout passed: the next packet leaves whatever the window says. */
  #probing = false;
  /** Something changed since poll last answered 0. */
  #dirty = false;
  /** As many packets are on their way as can be remembered. */
  #isFull = false;
  /** When a packet left last that must not be lost. */
  #reliableAt = -Infinity;
  /** When the pacer lets bulk go that only waits for it. */
  #bulkAt = Infinity;

  /** @throws RangeError for an option outside its range */
  constructor(options: MessageEndpointOptions, handler: ChannelHandler) {
    this.#handler = handler;
    this.#options = resolveOptions(options);
    this.#mtu = new PathMtu(this.#options.maxPacketBytes);
    this.#stats = freshStats();
    const sent = new SentPackets();
    this.#reliable = new ReliableEndpoint(
      { maxPacketBytes: 16 * 1024, maxReassemblyBytes: 64 * 1024, held: this.#options.held },
      {
        packet: (sequence, bytes, start, end) => this.#onPacket(sequence, bytes, start, end),
        acked: (sequence) => this.#recovery.onAcked(sequence, sequence === this.#reliable.peerAck, this.#now),
      },
      sent,
    );
    this.#acks = new AckSchedule(this.#reliable.received);
    this.#outbox = new Outbox(this.#options, sent, this.#mtu, this.#stats);
    this.#inbox = new Inbox(this.#options, this.#stats, handler);
    this.#recovery = new Recovery(this.#options.initialRttMs, sent, this.#mtu, this.#stats, {
      packetAcked: (sequence) => this.#outbox.packetAcked(sequence),
      packetLost: (sequence) => this.#outbox.packetLost(sequence),
    });
  }

  /** Counters and estimates, as they are now; the same object for the endpoint's life. */
  get stats(): ChannelStats {
    const { rtt, congestion } = this.#recovery;
    const stats = this.#stats;
    stats.rttMs = rtt.smoothed;
    stats.rttVarMs = rtt.variance;
    stats.minRttMs = rtt.min;
    stats.latestRttMs = rtt.latest;
    stats.congestionWindow = congestion.window;
    stats.bytesInFlight = congestion.bytesInFlight;
    stats.maxPacketBytes = this.#mtu.size;
    return stats;
  }

  /** Whether {@link close} or {@link farewell} was called, or the peer failed. */
  get closed(): boolean {
    return this.#closed || this.#isLeft;
  }

  /** Reliable bytes that wait for being sent or acknowledged, as `stats.bufferedBytes`. */
  get bufferedBytes(): number {
    return this.#stats.bufferedBytes;
  }

  /**
   * Queues a message; `data` is copied. The next {@link poll} carries it.
   *
   * @returns false if it is longer than 2^28 - 1 bytes (unreliable: `maxUnreliableBytes`), if `maxBufferedBytes` would
   *   be passed, or if the endpoint is closed. Unreliable messages otherwise push out older ones when their queue is full.
   * @throws RangeError for a mode, channel or priority that there is not
   */
  send(data: Uint8Array, mode: DeliveryMode, options?: SendOptions): boolean {
    if (this.closed) return false;
    const channel = options?.channel === undefined ? 0 : inRange("channel", options.channel, 0, 255);
    const priority = options?.priority;
    if (priority !== undefined) inRange("priority", priority, -128, 127);
    const number = MODES.indexOf(mode);
    if (number < 0) throw new RangeError(`mode is ${mode}, it must be one of ${MODES.join(", ")}`);
    if (data.length > (number <= MODE_SEQUENCED ? this.#options.maxUnreliableBytes : MAX_MESSAGE_BYTES)) return false;
    if (!this.#outbox.push(data, number, channel, priority)) return false;
    this.#dirty = true;
    return true;
  }

  /**
   * Takes one netcode payload that arrived at `now` (ms, any monotonic clock; one that jumps does no harm). Never throws,
   * whatever the packet holds; what the handler throws is thrown anew in a microtask.
   */
  receive(packet: Uint8Array, now: number): void {
    if (this.#isIdle || this.#receiving) return;
    const time = this.#advanceClock(now);
    this.#receiving = true;
    const taken = this.#reliable.receivePacket(packet);
    this.#receiving = false;
    if (!taken) {
      this.#stats.packetsDropped++;
      return;
    }
    this.#stats.packetsReceived++;
    this.#stats.bytesReceived += packet.length;
    if (this.#isIdle) return;
    this.#recovery.onAcksDone(this.#ackDelayMs, time);
    this.#ackDelayMs = -1;
    this.#dirty = true;
  }

  /**
   * Writes the next packet that is due at `now` into `out` (at least `maxPacketBytes` long). Call until it answers 0.
   *
   * @returns the packet's length, or 0: nothing to send, or the congestion window or the pacer says later. Within a
   *   handler's call always 0: the packet that is being read is not acknowledged yet.
   */
  poll(out: Uint8Array, now: number): number {
    if (this.#isIdle || this.#receiving) return 0;
    const time = this.#advanceClock(now);
    if (time >= this.#recovery.timeout) this.#onTimeout(time);
    const ackDue = time >= this.#acks.dueAt;
    const { congestion } = this.#recovery;
    this.#isFull = this.#recovery.isFull(this.#reliable.nextSequence, time);
    const free = this.#isFull ? 0 : Math.floor(congestion.window - congestion.bytesInFlight);
    if (time >= this.#mtu.probeAt && Math.min(free, out.length) >= this.#mtu.probeBytes) {
      return this.#writeMtuProbe(out, time);
    }
    const room = this.#probing ? (this.#recovery.probeCount > 1 ? this.#mtu.floor : this.#mtu.safeBytes) : free;
    this.#bulkAt = Infinity;
    const copyDue = this.#copyAt <= time;
    if (ackDue || this.#probing || copyDue || (this.#outbox.waiting && room > MAX_PACKET_OVERHEAD)) {
      const length = this.#writePacket(out, time, Math.min(room, this.#mtu.size, out.length), ackDue);
      if (length > 0) return length;
    }
    this.#dirty = false;
    return 0;
  }

  /** When {@link poll} should be called again, in ms of the same clock; `now` if at once, Infinity if idle. */
  nextTimeout(now: number): number {
    if (this.#isIdle) return Infinity;
    if ((this.#dirty && this.#outbox.waiting) || this.#probing) return now;
    const at = Math.min(this.#acks.dueAt, this.#recovery.timeout, this.#copyAt, this.#bulkAt);
    // Rounding must not make it come out a hair early, and poll be called in vain until the clock moves.
    return Math.max(this.#clockOffset === 0 ? at : at - this.#clockOffset + 0.001, now);
  }

  /**
   * The peer is reached by another path from now on: what was learnt of the old one is forgotten (RFC 9000 section 9.4), and
   * the next {@link poll} sends the oldest of what is not acknowledged, so that the conversation goes on at once.
   */
  pathChanged(now: number): void {
    if (this.#isIdle) return;
    this.#recovery.onPathChanged(this.#advanceClock(now));
    this.#probe();
  }

  /** Forgets everything; afterwards every call is without effect. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
  }

  /**
   * Lets go of all that waits and all that is held, and sends one more message, reliably: to tell the peer why it is left. Of what
   * comes from it only acknowledgements are read from now on; `stats.bufferedBytes` is 0 once it has the message.
   *
   * @param channel one that was not used before, 0-255
   * @returns false if the endpoint was closed before
   */
  farewell(data: Uint8Array, channel: number): boolean {
    if (this.#closed) return false;
    this.#leave();
    this.#hasFarewell = true;
    this.#dirty = true;
    return this.#outbox.push(data, MODE_RELIABLE, channel, undefined);
  }

  /** There is nothing left to be done. */
  get #isIdle(): boolean {
    return this.#closed || (this.#isLeft && !this.#hasFarewell);
  }

  #leave(): void {
    this.#isLeft = true;
    this.#outbox.clear();
    this.#inbox.clear();
    this.#reliable.clear();
  }

  #onPacket(sequence: number, bytes: Uint8Array, start: number, end: number): boolean {
    const reader = this.#reader;
    reader.begin(bytes, start, end);
    const control = reader.uint8();
    this.#ackDelayMs = 0;
    if (control & CONTROL_ACK_DELAY) {
      const units = reader.uint8();
      this.#ackDelayMs = units === ACK_DELAY_UNKNOWN ? -1 : units / ACK_DELAY_UNITS_PER_MS;
    }
    if (control & CONTROL_OLDER_ACKS && !this.#readOlderAcks(reader)) reader.failed = true;
    if (reader.failed || control & CONTROL_RESERVED) {
      if (this.#isLeft) return false;
      this.#fail({ code: "malformed", message: "The peer sent a packet without a valid control byte." });
      return false;
    }
    if (!this.#isLeft && !this.#inbox.read(reader)) {
      if (this.#inbox.failure) this.#fail(this.#inbox.failure);
      return false;
    }
    this.#acks.onReceived(sequence, control & CONTROL_URGENCY, this.#now);
    return true;
  }

  #readOlderAcks(reader: FrameReader): boolean {
    const bytes = reader.uint8();
    if (bytes === 0 || bytes > MAX_OLDER_ACK_BYTES) return false;
    const start = reader.skip(bytes);
    if (reader.failed) return false;
    const newest = this.#reliable.peerAck - 32;
    for (let j = 0; j < bytes; j++) {
      for (let k = 0, bits = reader.bytes[start + j] ?? 0; bits !== 0; k++, bits >>>= 1) {
        if (bits & 1) this.#reliable.ack((newest - 8 * j - k) & 0xffff);
      }
    }
    return true;
  }

  #writePacket(out: Uint8Array, now: number, limit: number, ackDue: boolean): number {
    const sequence = this.#reliable.nextSequence;
    const lossy = this.#recovery.lossy(now);
    // Both settle what became of the packet that had this place 256 packets ago, before it is forgotten.
    this.#recovery.makeRoom(sequence, now);
    const { congestion, rtt } = this.#recovery;
    const bulkUrgency = lossy && rtt.smoothed < SHORT_PATH_MS ? URGENCY.soon : URGENCY.normal;
    const flowing = !lossy && now - this.#reliableAt <= FLOWING_MS;
    const wholeUrgency = flowing ? URGENCY.lazy : bulkUrgency;
    const sliceUrgency = congestion.window < WIDE_WINDOW ? URGENCY.soon : bulkUrgency;
    this.#outbox.begin(sequence, now, lossy, wholeUrgency, sliceUrgency);
    const controlAt = this.#reliable.writeHeader(out);
    const isTight = this.#mtu.size > MAX_PACKET_BYTES && this.#outbox.firstWholeBytes > limit - MAX_PACKET_OVERHEAD;
    const start = this.#acks.write(out, controlAt + 1, now, isTight ? FEW_OLDER_ACK_BYTES : MAX_OLDER_ACK_BYTES);
    let at = start;
    if (this.#mtu.suspected) at = this.#outbox.fillWhole(out, start, Math.min(limit, this.#mtu.floor));
    if (at === start) at = this.#outbox.fillWhole(out, start, limit);
    if (this.#outbox.waiting && this.#bulkMayGo(now)) {
      const { suspected, safeBytes } = this.#mtu;
      at = this.#outbox.fillSlices(out, at, at > start || suspected ? Math.min(limit, safeBytes) : limit);
    }
    if (at > start ? this.#copiesAllowed : this.#copyAt <= now) at = this.#outbox.fillCopies(out, at, limit);
    if (at === start && !ackDue && !this.#probing) return 0;

    let urgency = this.#outbox.urgency;
    if (this.#probing) urgency = URGENCY.soon;
    this.#probing = false;
    out[controlAt] = this.#acks.flags | urgency;
    this.#reliable.commit();
    this.#acks.onSent();
    if (this.#outbox.reliable) this.#reliableAt = now;
    this.#recovery.onSent(sequence, at, urgency, this.#outbox.reliable, now);
    this.#pacer.onSent(urgency === URGENCY.none ? 0 : at);
    this.#stats.packetsSent++;
    this.#stats.bytesSent += at;
    if (urgency === URGENCY.none) this.#stats.acksSent++;
    return at;
  }

  /**
   * Writes a packet of padding that tries whether its size gets through. It may well not: what it acknowledges counts as not
   * told, and it carries nothing that anybody waits for.
   */
  #writeMtuProbe(out: Uint8Array, now: number): number {
    const sequence = this.#reliable.nextSequence;
    this.#recovery.makeRoom(sequence, now);
    this.#outbox.begin(sequence, now, false, URGENCY.none, URGENCY.none);
    const bytes = this.#mtu.probeBytes;
    const controlAt = this.#reliable.writeHeader(out);
    const start = this.#acks.write(out, controlAt + 1, now);
    out[controlAt] = this.#acks.flags | URGENCY.soon;
    out[start] = FRAME_PADDING;
    out.fill(0, start + 1, bytes);
    this.#reliable.commit();
    this.#mtu.onProbeSent(sequence);
    this.#recovery.onSent(sequence, bytes, URGENCY.soon, false, now);
    this.#stats.mtuProbes++;
    this.#stats.packetsSent++;
    this.#stats.bytesSent += bytes;
    return bytes;
  }

  /** Copies are made only with room in the window that nothing else wants. */
  get #copiesAllowed(): boolean {
    const { congestion } = this.#recovery;
    return !this.#isFull && congestion.bytesInFlight + this.#mtu.size <= congestion.window;
  }

  get #copyAt(): number {
    return this.#copiesAllowed ? this.#outbox.copyAt : Infinity;
  }

  /** Whether slices may leave now: within the window less a reserve for small messages, and paced. */
  #bulkMayGo(now: number): boolean {
    if (this.#probing) return true;
    const { congestion, rtt } = this.#recovery;
    const reserve = Math.min(RESERVED_BYTES, congestion.window / 4);
    const fits = congestion.bytesInFlight + this.#mtu.size <= congestion.window - reserve;
    if ((!fits && congestion.bytesInFlight > 0) || this.#recovery.packetsInFlight >= MAX_BULK_PACKETS) return false;
    this.#pacer.update(now, congestion.window, rtt.smoothed, congestion.inSlowStart ? 2 : 1.25);
    if (this.#pacer.ready) return true;
    this.#bulkAt = this.#pacer.readyAt;
    return false;
  }

  #onTimeout(now: number): void {
    if (this.#recovery.onTimeout(now)) this.#probe();
  }

  /** Has the next packet leave whatever the window says, with the oldest of what is not acknowledged. */
  #probe(): void {
    this.#stats.probes++;
    this.#probing = true;
    let bytes = 0;
    this.#recovery.forEachInFlight((sequence) => {
      bytes += this.#outbox.probe(sequence);
      return bytes < PROBE_BYTES;
    });
  }

  /** Turns the caller's time into one that never goes back, nor far ahead at once. */
  #advanceClock(now: number): number {
    if (Math.abs(now) <= MAX_TIME_MS) {
      if (this.#now === -Infinity) this.#now = now;
      const step = now + this.#clockOffset - this.#now;
      const allowed = Math.min(Math.max(step, 0), MAX_STEP_MS);
      if (allowed !== step) this.#clockOffset += allowed - step;
      this.#now += allowed;
    } else if (this.#now === -Infinity) {
      this.#now = 0;
    }
    return this.#now;
  }

  #fail(reason: ChannelFailure): void {
    if (this.closed) return;
    this.#leave();
    this.#handler.failed?.(reason);
  }
}
