import { seededRandom } from "./random.ts";

/** What a bad line does to packets. Everything defaults to nothing. */
export interface NetworkConditions {
  /** Time that every packet takes, in ms. */
  delayMs?: number;
  /** Up to this much more, evenly spread, in ms. Packets keep their order. */
  jitterMs?: number;
  /** Share of packets that is lost, 0-1. */
  loss?: number;
  /** Mean length of a run of losses, 1 or more: 1 loses each packet on its own. */
  lossBurst?: number;
  /** Share of packets that arrives twice, 0-1. */
  duplicate?: number;
  /** Share of packets that is held back so that later ones overtake it, 0-1. */
  reorder?: number;
  /** For how long such a packet is held back, up to, in ms. Default 20. */
  reorderMs?: number;
  /** What the line carries, in bytes per second; faster packets queue. */
  bytesPerSecond?: number;
  /** How many bytes may queue before `bytesPerSecond` loses them. Default 64 KiB. */
  queueBytes?: number;
  /** Longer packets vanish, as on a path of a small MTU whose ICMP is filtered. A session's are up to 1200 bytes before encryption. */
  maxPacketBytes?: number;
}

/** Decides what becomes of each packet of a bad line, one direction. Does no I/O; the same seed makes the same line. */
export class LineModel {
  /** May be changed at any time, for the packets that follow. */
  conditions: NetworkConditions;
  readonly #random: () => number;
  #lastDue = -Infinity;
  #lineFreeAt = -Infinity;
  #inLossRun = false;

  constructor(conditions: NetworkConditions, seed: number) {
    this.conditions = conditions;
    this.#random = seededRandom(seed);
  }

  /** @returns when a packet that sets out at `now` arrives, ms; NaN if it is lost */
  dueAt(bytes: number, now: number): number {
    const { delayMs = 0, jitterMs = 0, reorder = 0, reorderMs = 20, maxPacketBytes = Infinity } = this.conditions;
    if (bytes > maxPacketBytes || this.loses()) return Number.NaN;
    const sentAt = this.#queue(bytes, now);
    if (sentAt === undefined) return Number.NaN;
    const dueAt = sentAt + delayMs + this.#random() * jitterMs;
    if (this.#random() < reorder) return dueAt + this.#random() * reorderMs;
    // Jitter alone does not reorder; a caller's clock that went back does not hold up the line.
    this.#lastDue = Math.min(Math.max(dueAt, this.#lastDue), sentAt + delayMs + jitterMs);
    return this.#lastDue;
  }

  /** @returns when a second copy of a packet arrives whose first arrives at `dueAt`; NaN if there is none */
  duplicateAt(dueAt: number): number {
    const { duplicate = 0, jitterMs = 0 } = this.conditions;
    return this.#random() < duplicate ? dueAt + this.#random() * (jitterMs + 1) : Number.NaN;
  }

  /** Whether the next packet is lost on the way. */
  loses(): boolean {
    const { loss = 0, lossBurst = 1 } = this.conditions;
    if (loss <= 0) return false;
    if (lossBurst <= 1 || loss >= 1) return this.#random() < loss;
    // Two states (Gilbert): a run ends with 1/lossBurst, and begins so often that the share comes out.
    const end = 1 / lossBurst;
    const begin = (end * loss) / (1 - loss);
    this.#inLossRun = this.#random() < (this.#inLossRun ? 1 - end : begin);
    return this.#inLossRun;
  }

  /** When the line has sent a packet, undefined if its queue is full. */
  #queue(bytes: number, now: number): number | undefined {
    const { bytesPerSecond, queueBytes = 64 * 1024 } = this.conditions;
    if (bytesPerSecond === undefined) return now;
    const perMs = bytesPerSecond / 1000;
    const waitMs = Math.max(Math.min(this.#lineFreeAt - now, queueBytes / perMs), 0);
    if (waitMs * perMs + bytes > queueBytes) return undefined;
    this.#lineFreeAt = now + waitMs + bytes / perMs;
    return this.#lineFreeAt;
  }
}
