import { traceOf } from "../../net/trace.ts";
import { frameBytesOf, MAX_PACKET_BYTES } from "../wire/frames.ts";

const trace = traceOf("channel");

/**
 * What every path carries: with netcode's 25 bytes, TURN's 4 (ChannelData) and UDP's and IPv4's 28 they make a packet of 569
 * bytes, and 576 is what every IPv4 host accepts (RFC 1122 section 3.3.2). Below it nothing is searched for.
 */
const LEAST_PACKET_BYTES = 512;
/** RFC 8899 section 5.1.2, MAX_PROBES: a size is too large when so many probes of it in a row are lost. */
const MAX_PROBES = 3;
/** The search ends when what fits and what does not are this close, in bytes: a quarter of a block. */
const PRECISION_BYTES = 32;
/**
 * RFC 8899 section 5.1.1, PMTU_RAISE_TIMER: how long a size that was found holds before a larger one is tried again, in ms.
 * It has 600 s; a chance loss of three probes is healed sooner if the first wait is short and each is twice the one before.
 */
const FIRST_RAISE_MS = 10_000;
const MAX_RAISE_MS = 600_000;
/**
 * A black hole (RFC 8899 section 4.3): so many packets lost, probes among them, with none as long arriving in between, over at
 * least so many rounds. A round is what was sent before its first loss is known: a burst of losses, as by a full queue, is one.
 */
const BLACK_HOLE_LOSSES = 4;
const BLACK_HOLE_ROUNDS = 2;
/** What arrived lately is remembered for each so many bytes of length (as a shift). */
const LENGTH_SHIFT = 7;

/**
 * How long packets may be on this path, by RFC 8899 (DPLPMTUD) without ICMP. Begins with netcode's limit, which is what the
 * RFC takes for a base that paths carry (section 5.1.2), so that one which does costs no probe. When long packets vanish, probes
 * that carry nothing else find out whether it is for their length; if so the least takes over at once, and probes look for
 * what fits. Does no I/O and has no timer: losses and acknowledgements come from {@link Recovery}, probes leave when packets do.
 */
export class PathMtu {
  readonly max: number;
  /** What a path that is new is taken to carry: RFC 8899's BASE_PLPMTU. */
  readonly #base: number;
  /** Packets up to this length are not looked at. */
  readonly floor: number;
  /** The longest packet to be sent at present, in bytes: RFC 8899's PLPMTU less what lies below. */
  size: number;
  /** How long frames may be that go into a packet whatever stands before them. */
  frameBytes: number;
  /** Long packets were lost, and none arrived since: what is short should not share their fate. */
  suspected = false;
  /** The next probe may leave from this time on; Infinity while none is wanted, or one is under way. */
  probeAt: number = Infinity;
  /** How long it is. */
  probeBytes = 0;
  /** The packet that is the probe under way; -1 if none is. */
  probeSequence = -1;
  /** The probe asks whether the present size still gets through, not for a larger one. */
  #confirming = false;
  /** Sizes from this on are too large, as far as is known. */
  #tooLarge = 0;
  #probesLost = 0;
  #raiseMs = FIRST_RAISE_MS;
  /** When more than the size found is tried. */
  #raiseAt = -Infinity;
  /** The size that a black hole took, until probes have shown whether it was one. */
  #doubted = 0;
  /** Lengths of the packets lost with none as long arriving since. */
  #suspects: number[] = [];
  #rounds = 0;
  #roundEnd = -Infinity;
  /** Losses of what was sent before say nothing of the present size. */
  #since = -Infinity;
  /** By length: when the latest packet that arrived was sent, and how long it was. */
  readonly #arrivedAt: Float64Array;
  readonly #arrivedBytes: Uint16Array;
  /** Something longer than the floor arrived on this path. */
  #proven = false;

  /** @param max the longest packet that may ever be sent, in bytes */
  constructor(max: number) {
    this.max = max;
    this.#base = Math.min(max, MAX_PACKET_BYTES);
    this.floor = Math.min(LEAST_PACKET_BYTES, max);
    this.size = this.#base;
    this.frameBytes = frameBytesOf(this.size);
    const lengths = ((max - this.floor) >> LENGTH_SHIFT) + 1;
    this.#arrivedAt = new Float64Array(lengths).fill(-Infinity);
    this.#arrivedBytes = new Uint16Array(lengths);
    if (max > this.#base) this.#searchFrom(max, -Infinity);
  }

  /** How long a packet may be that has to get through, rather than to hold much. */
  get safeBytes(): number {
    return this.#proven && !this.suspected ? this.size : this.floor;
  }

  /** The packet `sequence` is the probe. */
  onProbeSent(sequence: number): void {
    this.probeSequence = sequence;
    this.probeAt = Infinity;
  }

  /** A packet longer than {@link floor} arrived. */
  onAcked(sequence: number, bytes: number, sentAt: number, now: number): void {
    this.#proven = true;
    const n = this.#indexOf(bytes);
    this.#arrivedAt[n] = sentAt;
    this.#arrivedBytes[n] = bytes;
    if (this.#suspects.length > 0) {
      this.#suspects = this.#suspects.filter((lost) => lost > bytes);
      if (this.#suspects.length === 0) this.#clear();
    }
    if (sequence === this.probeSequence) this.#onProbeAcked(now);
  }

  /**
   * A packet longer than {@link floor}, not a probe, was lost, while one that was sent later arrived.
   *
   * @returns whether a suspicion begins with it
   */
  onLost(bytes: number, sentAt: number, now: number): boolean {
    if (!this.#suspect(bytes, sentAt, now)) return false;
    const probing = this.probeSequence >= 0 || this.probeAt <= now;
    if (this.suspected && !probing) this.#confirm(now);
    return this.#suspects.length === 1;
  }

  /**
   * The probe under way was lost. That says nothing of the path but its size (RFC 8899 section 3).
   *
   * @returns whether it is certain by now that what was lost before was too long: its loss was no sign of congestion either
   */
  onProbeLost(sentAt: number, now: number): boolean {
    this.probeSequence = -1;
    if (this.#confirming) {
      if (this.#suspect(this.probeBytes, sentAt, now)) this.#rest(now);
      else if (this.#confirming) this.#rest(now);
      return false;
    }
    if (++this.#probesLost < MAX_PROBES) {
      this.probeAt = now;
      return false;
    }
    const certain = this.probeBytes === this.#doubted;
    this.#doubted = 0;
    this.#tooLarge = this.probeBytes;
    this.#search(now);
    return certain;
  }

  /** Packets take another path: it may carry more, which is tried at once, or less, which will be seen. */
  onPathChanged(now: number): void {
    this.#clear();
    this.#since = now;
    this.#proven = false;
    this.probeSequence = -1;
    this.#doubted = 0;
    this.#raiseMs = FIRST_RAISE_MS;
    if (this.size > this.#base) this.#setSize(this.#base);
    if (this.size < this.max) this.#searchFrom(this.max, now);
    else this.probeAt = Infinity;
  }

  #onProbeAcked(now: number): void {
    this.probeSequence = -1;
    if (this.#confirming) {
      this.#rest(now);
      return;
    }
    this.#doubted = 0;
    if (trace.on) trace.event("path-mtu", { bytes: this.probeBytes, was: this.size, tooLarge: this.#tooLarge });
    this.#setSize(this.probeBytes);
    this.#search(now);
  }

  /** @returns whether there is ground for suspicion, but not enough for a verdict. */
  #suspect(bytes: number, sentAt: number, now: number): boolean {
    if (bytes > this.size || sentAt < this.#since || this.#arrivedSince(bytes, sentAt)) return false;
    if (this.#suspects.length === 0 || sentAt >= this.#roundEnd) {
      this.#rounds++;
      this.#roundEnd = now;
    }
    this.#suspects.push(bytes);
    // Where long packets arrived lately, one lost is more likely lost as any may be.
    this.suspected = this.#suspects.length > 1 || !this.#proven;
    if (this.#suspects.length < BLACK_HOLE_LOSSES || this.#rounds < BLACK_HOLE_ROUNDS) return true;
    this.#clear();
    this.#since = now;
    this.#doubted = this.size;
    if (trace.on) trace.event("black-hole", { bytes: this.size, fallback: this.floor });
    this.#raiseMs = FIRST_RAISE_MS;
    this.#setSize(this.floor);
    // If it was chance, the size that was takes one round trip to come back.
    this.probeSequence = -1;
    this.#searchFrom(this.#doubted, now);
    return false;
  }

  #clear(): void {
    this.suspected = false;
    this.#suspects = [];
    this.#rounds = 0;
  }

  /** Has a probe of the present size leave. */
  #confirm(now: number): void {
    this.#probe(this.size, now);
    this.#confirming = true;
  }

  /** Searches for the largest size from the present one up to `target`, which is tried first. */
  #searchFrom(target: number, at: number): void {
    this.#tooLarge = target + 1;
    this.#probe(target, at);
  }

  #search(now: number): void {
    if (this.#tooLarge - this.size > PRECISION_BYTES) {
      this.#probe((this.size + this.#tooLarge) >> 1, now);
      return;
    }
    this.#raiseAt = now + this.#raiseMs;
    this.#raiseMs = Math.min(this.#raiseMs * 2, MAX_RAISE_MS);
    this.#rest(now);
  }

  /** Nothing is to be found out, until it is time to try for more. */
  #rest(now: number): void {
    if (this.suspected) this.#confirm(now);
    else if (this.size < this.max) this.#searchFrom(this.max, this.#raiseAt);
    else this.probeAt = Infinity;
  }

  #probe(bytes: number, at: number): void {
    this.#confirming = false;
    this.#probesLost = 0;
    this.probeBytes = bytes;
    this.probeAt = at;
  }

  #setSize(bytes: number): void {
    this.size = bytes;
    this.frameBytes = frameBytesOf(bytes);
  }

  #indexOf(bytes: number): number {
    return (Math.min(bytes, this.max) - this.floor) >> LENGTH_SHIFT;
  }

  /** Whether a packet as long as this arrived that was sent no sooner. */
  #arrivedSince(bytes: number, sentAt: number): boolean {
    const index = this.#indexOf(bytes);
    for (let n = index; n < this.#arrivedAt.length; n++) {
      const longEnough = n > index || (this.#arrivedBytes[n] ?? 0) >= bytes;
      if (longEnough && (this.#arrivedAt[n] ?? 0) >= sentAt) return true;
    }
    return false;
  }
}
