import { seededRandom } from "./random.ts";

/** What a {@link NetworkConditioner} does to packets. Everything defaults to nothing. */
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

interface Parcel {
  dueAt: number;
  order: number;
  bytes: Uint8Array;
  length: number;
}

/** Packets on their way; the oldest give way never, the newest are lost beyond this. */
const MAX_PARCELS = 65_536;

/**
 * A bad line: packets and a time go in, packets due by a time come out. For tests, and for developers who want to feel
 * their game at 5 % loss. Does no I/O; the same seed makes the same line.
 */
export class NetworkConditioner {
  /** May be changed at any time, for the packets that follow. */
  conditions: NetworkConditions;
  /** Packets that were lost, by chance or by a full queue. */
  lost = 0;
  readonly #random: () => number;
  readonly #heap: Parcel[] = [];
  readonly #pool: Parcel[] = [];
  #order = 0;
  #lastDue = -Infinity;
  #lineFreeAt = -Infinity;
  #inLossRun = false;

  /** @param seed chosen at random if left out */
  constructor(conditions: NetworkConditions, seed: number = Math.trunc(Math.random() * 2 ** 32)) {
    this.conditions = conditions;
    this.#random = seededRandom(seed);
  }

  /** Packets on their way. */
  get size(): number {
    return this.#heap.length;
  }

  /** When {@link receive} has something next, Infinity if nothing is on its way. */
  get nextDue(): number {
    return this.#heap[0]?.dueAt ?? Infinity;
  }

  /** A packet sets out at `now` (ms); it is copied. */
  send(packet: Uint8Array, now: number): void {
    const { delayMs = 0, jitterMs = 0, duplicate = 0, reorder = 0, reorderMs = 20 } = this.conditions;
    const { maxPacketBytes = Infinity } = this.conditions;
    if (packet.length > maxPacketBytes || this.#loses()) {
      this.lost++;
      return;
    }
    const sentAt = this.#queue(packet.length, now);
    if (sentAt === undefined || this.#heap.length >= MAX_PARCELS) {
      this.lost++;
      return;
    }
    let dueAt = sentAt + delayMs + this.#random() * jitterMs;
    if (this.#random() < reorder) {
      dueAt += this.#random() * reorderMs;
    } else {
      // Jitter alone does not reorder; a caller's clock that went back does not hold up the line.
      dueAt = Math.min(Math.max(dueAt, this.#lastDue), sentAt + delayMs + jitterMs);
      this.#lastDue = dueAt;
    }
    this.#push(packet, dueAt);
    if (this.#random() < duplicate) this.#push(packet, dueAt + this.#random() * (jitterMs + 1));
  }

  /**
   * Takes the next packet that is due by `now` into `out`.
   *
   * @returns its length, or -1 if none is due. Packets may be empty. One longer than `out` is cut.
   */
  receive(out: Uint8Array, now: number): number {
    const first = this.#heap[0];
    if (!first || first.dueAt > now) return -1;
    this.#pop();
    const length = Math.min(first.length, out.length);
    out.set(first.bytes.subarray(0, length));
    if (this.#pool.length < 256) this.#pool.push(first);
    return length;
  }

  /** Loses all that is on its way. */
  clear(): void {
    this.#heap.length = 0;
  }

  #loses(): boolean {
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

  #push(packet: Uint8Array, dueAt: number): void {
    const parcel = this.#pool.pop() ?? { dueAt: 0, order: 0, bytes: new Uint8Array(1500), length: 0 };
    if (parcel.bytes.length < packet.length) parcel.bytes = new Uint8Array(packet.length);
    parcel.bytes.set(packet);
    parcel.length = packet.length;
    parcel.dueAt = dueAt;
    parcel.order = this.#order++;
    const heap = this.#heap;
    let child = heap.push(parcel) - 1;
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      const above = heap[parent];
      if (!above || !earlier(parcel, above)) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = parcel;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let parent = 0;
    for (;;) {
      let child = parent * 2 + 1;
      const left = heap[child];
      if (!left) break;
      const right = heap[child + 1];
      const least = right && earlier(right, left) ? right : left;
      if (least === right) child++;
      if (!earlier(least, last)) break;
      heap[parent] = least;
      parent = child;
    }
    heap[parent] = last;
  }
}

function earlier(a: Parcel, b: Parcel): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}
