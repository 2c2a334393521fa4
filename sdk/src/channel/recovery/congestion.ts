import { MAX_PACKET_BYTES } from "../wire/frames.ts";

/** Units of the window's arithmetic; every packet counts as it is, up to this. */
const PACKET = MAX_PACKET_BYTES;
const INITIAL_WINDOW = 10 * PACKET;
/** RFC 9002 section 7.2 recommends 2; a game whose packets are small and whose losses are the air's needs somewhat more. */
const MIN_WINDOW = 4 * PACKET;
/** No more packets than this can be in flight: {@link SENT_WINDOW} are remembered. */
const MAX_WINDOW = 240 * PACKET;
/**
 * Our own: a window above this many bytes shrinks, by an eighth a round trip, while packets queue for longer than this, in
 * ms. Below it grows whatever the queue, so that others who fill it don't starve us.
 */
const ENOUGH_WINDOW = 8 * PACKET;
const LONG_QUEUE_MS = 30;
/** RFC 9438 section 4: C in packets per second cubed, and the factor of multiplicative decrease. */
const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
const RENO_ALPHA = (3 * (1 - CUBIC_BETA)) / (1 + CUBIC_BETA);
/**
 * Our own, after TCP Veno (Fu and Liew, 2003): a loss while fewer packets than this queue on the path is the air's, not a full
 * buffer's. The window then gives way by a tenth, and grows by a packet a round trip from there: on Wi-Fi that loses 2 %, a level
 * would else load at a tenth of what the path carries.
 */
const SHORT_QUEUE_PACKETS = 3;
const AIR_BETA = 0.9;
const AIR_ALPHA = 1;
/** RFC 9406 section 4.3, in ms and samples (there 8; here a sample may stand for 8 packets). */
const HYSTART_MIN_MS = 4;
const HYSTART_MAX_MS = 16;
const HYSTART_SAMPLES = 4;

/**
 * How many bytes may be in flight: slow start, one reduction per round trip, persistent congestion (RFC 9002 section 7)
 * with CUBIC's growth (RFC 9438) and HyStart's exit from slow start (RFC 9406, without its conservative phase).
 */
export class CongestionControl {
  window: number = INITIAL_WINDOW;
  bytesInFlight = 0;
  #slowStartThreshold = Infinity;
  /** Losses of packets sent before this belong to a reduction that has taken place. */
  #recoveryStart = -Infinity;
  #epochStart = -Infinity;
  #epochK = 0;
  #maxWindow = 0;
  #renoWindow = 0;
  /** Packets per round trip by which it grows at least, until it is what it was before the last loss. */
  #alpha = RENO_ALPHA;
  #lastAck = -Infinity;
  #roundStart = -Infinity;
  #roundSamples = 0;
  #roundMin = Infinity;
  #lastRoundMin = Infinity;
  #rememberedWindow = 0;
  #rememberedThreshold = Infinity;

  get inSlowStart(): boolean {
    return this.window < this.#slowStartThreshold;
  }

  onSent(bytes: number): void {
    this.bytesInFlight += bytes;
  }

  /** A packet left the network otherwise than by acknowledgement or loss. */
  onForgotten(bytes: number): void {
    this.bytesInFlight -= bytes;
  }

  onAcked(bytes: number, sentAt: number, now: number, smoothedRtt: number, minRtt: number): void {
    const inFlight = this.bytesInFlight;
    this.bytesInFlight -= bytes;
    const idleMs = now - this.#lastAck;
    this.#lastAck = now;
    if (sentAt <= this.#recoveryStart) return;
    // A window that is not used tells nothing of the path and does not grow (RFC 9002 section 7.8).
    if (inFlight < this.window / 2) {
      if (this.#epochStart > -Infinity) this.#epochStart += idleMs;
      return;
    }
    // A queue this long is felt by the player: rather a slower transfer than a later jump.
    if (this.window > ENOUGH_WINDOW && smoothedRtt > minRtt + Math.max(minRtt / 2, LONG_QUEUE_MS)) {
      this.window = Math.max(this.window - bytes / 8, ENOUGH_WINDOW);
      this.#slowStartThreshold = Math.min(this.#slowStartThreshold, this.window);
      this.#epochStart = -Infinity;
      return;
    }
    if (this.inSlowStart) this.window += bytes;
    else this.#growCubic(bytes, now, smoothedRtt);
    this.window = Math.min(this.window, MAX_WINDOW);
  }

  /** A round trip was measured: leave slow start when the path's queue begins to fill. */
  onRtt(rttMs: number, sentAt: number, now: number): void {
    if (!this.inSlowStart) return;
    if (sentAt >= this.#roundStart) {
      if (this.#roundSamples > 0) this.#lastRoundMin = this.#roundMin;
      this.#roundStart = now;
      this.#roundSamples = 0;
      this.#roundMin = Infinity;
    }
    this.#roundSamples++;
    this.#roundMin = Math.min(this.#roundMin, rttMs);
    const threshold = Math.min(Math.max(this.#lastRoundMin / 8, HYSTART_MIN_MS), HYSTART_MAX_MS);
    if (this.#roundSamples >= HYSTART_SAMPLES && this.#roundMin >= this.#lastRoundMin + threshold) {
      this.#slowStartThreshold = this.window;
    }
  }

  /** A packet was found lost. */
  onLost(bytes: number, sentAt: number, now: number, smoothedRtt: number, minRtt: number): void {
    this.bytesInFlight -= bytes;
    if (sentAt <= this.#recoveryStart) return;
    this.#recoveryStart = now;
    const queued = (this.window * Math.max(smoothedRtt - minRtt, 0)) / Math.max(smoothedRtt, minRtt);
    // False where nothing is known of the path yet.
    if (queued < SHORT_QUEUE_PACKETS * PACKET) {
      this.#maxWindow = this.window;
      this.window = Math.max(this.window * AIR_BETA, MIN_WINDOW);
      this.#alpha = AIR_ALPHA;
    } else {
      // Fast convergence, RFC 9438 section 4.7.
      this.#maxWindow = this.window < this.#maxWindow ? (this.window * (1 + CUBIC_BETA)) / 2 : this.window;
      this.window = Math.max(this.window * CUBIC_BETA, MIN_WINDOW);
      this.#alpha = RENO_ALPHA;
    }
    this.#slowStartThreshold = this.window;
    this.#epochStart = -Infinity;
  }

  /** Losses begin that may turn out to say nothing of congestion. */
  remember(): void {
    this.#rememberedWindow = this.window;
    this.#rememberedThreshold = this.#slowStartThreshold;
  }

  /** They did, as the packets were too long for the path: the window is as it was (as RFC 9438 section 4.9.2 has it). */
  undo(now: number): void {
    this.window = Math.max(this.window, this.#rememberedWindow);
    this.#slowStartThreshold = Math.max(this.#slowStartThreshold, this.#rememberedThreshold);
    this.#recoveryStart = now;
    this.#epochStart = -Infinity;
  }

  /** The path is another one: nothing is known of it, and losses on the old one say nothing (RFC 9000 section 9.4). */
  onPathChanged(now: number): void {
    this.window = INITIAL_WINDOW;
    this.#slowStartThreshold = Infinity;
    this.#recoveryStart = now;
    this.#epochStart = -Infinity;
    this.#maxWindow = 0;
    this.#roundStart = now;
    this.#roundSamples = 0;
    this.#roundMin = Infinity;
    this.#lastRoundMin = Infinity;
  }

  /** Nothing came through for several probe timeouts (RFC 9002 section 7.6). */
  onPersistentCongestion(): void {
    this.window = MIN_WINDOW;
    this.#recoveryStart = -Infinity;
    this.#epochStart = -Infinity;
  }

  #growCubic(bytes: number, now: number, smoothedRtt: number): void {
    if (this.#epochStart === -Infinity) {
      this.#epochStart = now;
      this.#maxWindow = Math.max(this.#maxWindow, this.window);
      this.#epochK = Math.cbrt((this.#maxWindow - this.window) / PACKET / CUBIC_C);
      this.#renoWindow = this.window;
    }
    const seconds = (now - this.#epochStart + smoothedRtt) / 1000;
    const target = this.#maxWindow + CUBIC_C * (seconds - this.#epochK) ** 3 * PACKET;
    const alpha = this.#renoWindow < this.#maxWindow ? this.#alpha : 1;
    this.#renoWindow += (alpha * bytes * PACKET) / this.window;
    if (target < this.#renoWindow) {
      this.window = Math.max(this.window, this.#renoWindow);
    } else {
      const step = Math.min(Math.max(target, this.window), this.window * 1.5) - this.window;
      this.window += (step * bytes) / this.window;
    }
  }
}
