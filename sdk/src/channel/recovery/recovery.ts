import { traceOf } from "../../net/trace.ts";
import { AWAITED_ACK_DELAY_MS } from "../wire/frames.ts";
import { sequenceDistance, sequenceNewer } from "../wire/sequence.ts";
import type { ChannelStats } from "../wire/types.ts";
import { CongestionControl } from "./congestion.ts";
import type { PathMtu } from "./path-mtu.ts";
import { GRANULARITY_MS, RttEstimator } from "./rtt.ts";
import { SENT_WINDOW, type SentPackets } from "./sent-packets.ts";

const trace = traceOf("channel");

/** RFC 9002 section 6.1. Both grow on paths that reorder more (section 6.1.1 allows it). */
const PACKET_THRESHOLD = 3;
const MAX_PACKET_THRESHOLD = 64;
const TIME_THRESHOLD = 9 / 8;
const MAX_TIME_THRESHOLD = 2;
/** RFC 9002 section 7.6.1. */
const PERSISTENT_CONGESTION = 3;
/** Of the packets that are remembered, left for acknowledgements and probes. */
const RESERVED_SLOTS = 8;
/** While packets go on leaving, a probe is due after so many times the timeout without an acknowledgement. */
const SILENT_TIMEOUTS = 2;
/** A game does not wait longer than this for a sign of life, however often it probed. */
const MAX_PROBE_INTERVAL_MS = 1000;
/** For how long one loss makes the path count as lossy. */
const LOSSY_MS = 10_000;
const LOSS_SMOOTHING = 1 / 64;

const FREE = 0;
const IN_FLIGHT = 1;
const ACKED = 2;
const LOST = 3;

/** Is told what became of packets, by their sequence. A lost one may be told to have arrived later. */
export interface RecoveryHandler {
  packetAcked(sequence: number): void;
  packetLost(sequence: number): void;
}

/**
 * Loss detection by RFC 9002: a packet is lost when one sent 3 later, or 9/8 round trips later, arrived; when nothing
 * arrives a probe is due. Packets that only acknowledge are neither tracked nor counted.
 */
export class Recovery {
  readonly rtt: RttEstimator;
  readonly congestion: CongestionControl = new CongestionControl();
  /** Consecutive probe timeouts. */
  probeCount = 0;
  readonly #handler: RecoveryHandler;
  readonly #stats: ChannelStats;
  readonly #sent: SentPackets;
  readonly #mtu: PathMtu;
  /** Every packet before this is settled. */
  #oldest = 0;
  #next = 0;
  #inFlight = 0;
  #reliableInFlight = 0;
  #newestAcked = -1;
  #ackedNow = false;
  #sampleMs = -1;
  #sampleSentAt = 0;
  #packetThreshold = PACKET_THRESHOLD;
  #timeThreshold = TIME_THRESHOLD;
  #lossAt = Infinity;
  #probeFrom = -Infinity;
  #probeDelayMs = 0;
  #reliableProbeFrom = -Infinity;
  #reliableProbeDelayMs = 0;
  /** Since when nothing was heard of what is in flight. */
  #silentFrom = -Infinity;
  #lossyUntil = -Infinity;

  constructor(initialRttMs: number, sent: SentPackets, mtu: PathMtu, stats: ChannelStats, handler: RecoveryHandler) {
    this.#sent = sent;
    this.#mtu = mtu;
    this.rtt = new RttEstimator(initialRttMs);
    this.#stats = stats;
    this.#handler = handler;
  }

  /** Whether packets were lost in the last seconds. */
  lossy(now: number): boolean {
    return now < this.#lossyUntil;
  }

  /**
   * Whether the next packet has to wait, as too many of late are on their way: one more would push the oldest out of what is remembered,
   * and what that carried would be sent again, and push out the next.
   */
  isFull(sequence: number, now: number): boolean {
    const slot = (sequence + RESERVED_SLOTS) % SENT_WINDOW;
    // One of which nothing is heard for so long is lost more likely than not: what goes on leaving need not wait for a probe to tell.
    const waitMs = 2 * this.rtt.probeMs + (AWAITED_ACK_DELAY_MS[1] ?? 0);
    return this.#sent.state(slot) === IN_FLIGHT && now < this.#sent.sentAt(slot) + waitMs;
  }

  /** Frees the slot of the next packet: what was sent 256 packets ago is lost if nothing was heard of it. */
  makeRoom(sequence: number, now: number): void {
    const slot = sequence % SENT_WINDOW;
    if (this.#sent.state(slot) === IN_FLIGHT) this.#lose((sequence - SENT_WINDOW) & 0xffff, now);
    this.#sent.setState(slot, FREE);
  }

  /** A packet left; `urgency` 0 if it only acknowledges. */
  onSent(sequence: number, bytes: number, urgency: number, reliable: boolean, now: number): void {
    this.#next = (sequence + 1) & 0xffff;
    if (sequenceDistance(this.#next, this.#oldest) > SENT_WINDOW) {
      this.#oldest = (this.#next - SENT_WINDOW) & 0xffff;
    }
    // An acknowledgement from half the range ago would look like one to come.
    if (this.#newestAcked >= 0 && sequenceDistance(sequence, this.#newestAcked) > 0x4000) this.#newestAcked = -1;
    if (urgency === 0) return;
    const slot = sequence % SENT_WINDOW;
    this.#sent.setSent(slot, now, bytes, reliable, IN_FLIGHT);
    if (this.#inFlight++ === 0) this.#silentFrom = now;
    this.congestion.onSent(bytes);
    this.#probeFrom = now;
    this.#probeDelayMs = AWAITED_ACK_DELAY_MS[urgency] ?? 0;
    if (reliable) {
      this.#reliableInFlight++;
      this.#reliableProbeFrom = now;
      this.#reliableProbeDelayMs = this.#probeDelayMs;
    }
  }

  /** A packet of ours arrived; `newest` if it is the one that the header names. Followed by {@link onAcksDone}. */
  onAcked(sequence: number, newest: boolean, now: number): void {
    if (this.#newestAcked < 0 || sequenceNewer(sequence, this.#newestAcked)) this.#newestAcked = sequence;
    const slot = sequence % SENT_WINDOW;
    const state = this.#sent.state(slot);
    const sentAt = this.#sent.sentAt(slot);
    if (state === IN_FLIGHT) {
      this.#settle(slot);
      this.congestion.onAcked(this.#sent.bytes(slot), sentAt, now, this.rtt.smoothed, this.rtt.min);
      this.#stats.loss -= this.#stats.loss * LOSS_SMOOTHING;
      this.#ackedNow = true;
      if (newest) {
        this.#sampleMs = now - sentAt;
        this.#sampleSentAt = sentAt;
      }
    } else if (state === LOST) {
      this.#onSpuriousLoss(sequence, now - sentAt);
    } else {
      return;
    }
    this.#sent.setState(slot, ACKED);
    const bytes = this.#sent.bytes(slot);
    if (bytes > this.#mtu.floor) this.#mtu.onAcked(sequence, bytes, sentAt, now);
    this.#handler.packetAcked(sequence);
  }

  /** All acknowledgements of a packet were told. `ackDelayMs` below 0: unknown. */
  onAcksDone(ackDelayMs: number, now: number): void {
    if (!this.#ackedNow) return;
    this.#ackedNow = false;
    this.#silentFrom = now;
    this.probeCount = 0;
    if (this.#sampleMs >= 0 && ackDelayMs >= 0) {
      this.rtt.sample(this.#sampleMs, ackDelayMs);
      this.congestion.onRtt(this.rtt.latest, this.#sampleSentAt, now);
    }
    this.#sampleMs = -1;
    this.#detectLosses(now);
  }

  /**
   * Packets take another path from now on. Those that are under way on the old one fill nothing of the new one's window: most of
   * them are lost, as the path was, and what waits shall not wait for that to be noticed.
   */
  onPathChanged(now: number): void {
    this.rtt.onPathChanged();
    this.congestion.onPathChanged(now);
    this.forEachInFlight((sequence) => {
      this.congestion.onForgotten(this.#sent.forgetBytes(sequence % SENT_WINDOW));
      return true;
    });
    this.#mtu.onPathChanged(now);
    this.onProbe(now);
    this.probeCount = 0;
  }

  /** When {@link onTimeout} is due: a packet becomes lost, or a probe is due. Infinity if nothing is in flight. */
  get timeout(): number {
    return Math.min(this.#lossAt, this.#probeAt);
  }

  /** @returns whether a probe is due. */
  onTimeout(now: number): boolean {
    if (now >= this.#lossAt) this.#detectLosses(now);
    if (now < this.#probeAt) return false;
    this.onProbe(now);
    return true;
  }

  /** A probe is being sent. */
  onProbe(now: number): void {
    this.probeCount++;
    this.#probeFrom = now;
    this.#reliableProbeFrom = now;
    this.#silentFrom = now;
  }

  /** Packets sent and neither acknowledged nor lost. */
  get packetsInFlight(): number {
    return this.#inFlight;
  }

  /** Visits the packets in flight, oldest first, until told to stop. */
  forEachInFlight(visit: (sequence: number) => boolean): void {
    for (let sequence = this.#oldest; sequence !== this.#next; sequence = (sequence + 1) & 0xffff) {
      if (this.#sent.state(sequence % SENT_WINDOW) === IN_FLIGHT && !visit(sequence)) return;
    }
  }

  get #probeAt(): number {
    if (this.#inFlight === 0) return Infinity;
    const wait = this.#probeWait(this.#probeDelayMs);
    // Whoever sends all the time puts the timer off each time: yet when nothing is heard for long, something is wrong.
    const any = Math.min(this.#probeFrom + wait, this.#silentFrom + SILENT_TIMEOUTS * wait);
    if (this.#reliableInFlight === 0) return any;
    return Math.min(any, this.#reliableProbeFrom + this.#probeWait(this.#reliableProbeDelayMs));
  }

  #probeWait(ackDelayMs: number): number {
    const wait = (this.rtt.probeMs + ackDelayMs) * (1 << Math.min(this.probeCount, 16));
    return Math.min(wait, MAX_PROBE_INTERVAL_MS + ackDelayMs);
  }

  #settle(slot: number): void {
    this.#inFlight--;
    if (this.#sent.reliable(slot)) this.#reliableInFlight--;
  }

  #lose(sequence: number, now: number): void {
    const slot = sequence % SENT_WINDOW;
    this.#settle(slot);
    this.#sent.setState(slot, LOST);
    if (sequence === this.#mtu.probeSequence) {
      this.congestion.onForgotten(this.#sent.bytes(slot));
      if (this.#mtu.onProbeLost(this.#sent.sentAt(slot), now)) this.congestion.undo(now);
      return;
    }
    if (trace.on && now >= this.#lossyUntil) this.#traceLoss("loss-begins");
    this.#lossyUntil = now + LOSSY_MS;
    this.#stats.packetsLost++;
    this.#stats.loss += (1 - this.#stats.loss) * LOSS_SMOOTHING;
    this.congestion.onLost(
      this.#sent.bytes(slot),
      this.#sent.sentAt(slot),
      now,
      Math.max(this.rtt.smoothed, this.rtt.latest),
      this.rtt.min,
    );
    this.#handler.packetLost(sequence);
  }

  #detectLosses(now: number): void {
    this.#lossAt = Infinity;
    if (this.#newestAcked < 0) return;
    const oldest = this.#oldest;
    const behind = sequenceDistance(this.#newestAcked, oldest);
    if (behind >= SENT_WINDOW) return;
    const { rtt } = this;
    const lossDelay = Math.max(this.#timeThreshold * Math.max(rtt.smoothed, rtt.latest), GRANULARITY_MS);
    let settled = true;
    let firstLost = Infinity;
    let longestLoss = 0;
    for (let n = 0; n < behind; n++) {
      const sequence = (oldest + n) & 0xffff;
      const slot = sequence % SENT_WINDOW;
      const state = this.#sent.state(slot);
      if (state === ACKED) firstLost = Infinity;
      if (state !== IN_FLIGHT) continue;
      const sentAt = this.#sent.sentAt(slot);
      if (behind - n >= this.#packetThreshold || now >= sentAt + lossDelay) {
        const bytes = this.#sent.bytes(slot);
        if (sequence !== this.#mtu.probeSequence) {
          firstLost = Math.min(firstLost, sentAt);
          longestLoss = Math.max(longestLoss, sentAt - firstLost);
          if (bytes > this.#mtu.floor && this.#mtu.onLost(bytes, sentAt, now)) this.congestion.remember();
        }
        this.#lose(sequence, now);
      } else {
        if (settled) this.#oldest = sequence;
        settled = false;
        this.#lossAt = Math.min(this.#lossAt, sentAt + lossDelay);
      }
    }
    if (settled) this.#oldest = this.#newestAcked;
    const persistent = (rtt.probeMs + (AWAITED_ACK_DELAY_MS[2] ?? 0)) * PERSISTENT_CONGESTION;
    if (rtt.sampled && longestLoss > persistent) {
      this.congestion.onPersistentCongestion();
      if (trace.on) this.#traceLoss("persistent-congestion");
    }
  }

  /** Once for all losses that follow within {@link LOSSY_MS}: how many there were, the session says each second. */
  #traceLoss(event: string): void {
    const { rtt, congestion } = this;
    const { packetsLost } = this.#stats;
    trace.event(event, { rttMs: rtt.smoothed, window: congestion.window, inFlight: this.#inFlight, packetsLost });
  }

  #onSpuriousLoss(sequence: number, elapsedMs: number): void {
    this.#stats.packetsSpuriouslyLost++;
    const distance = sequenceDistance(this.#newestAcked, sequence);
    this.#packetThreshold = Math.min(Math.max(this.#packetThreshold, distance + 1), MAX_PACKET_THRESHOLD);
    if (elapsedMs > this.rtt.smoothed * this.#timeThreshold) {
      this.#timeThreshold = Math.min(this.#timeThreshold + 1 / 8, MAX_TIME_THRESHOLD);
    }
  }
}
