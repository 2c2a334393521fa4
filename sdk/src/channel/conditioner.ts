import { LineModel, type NetworkConditions } from "./line-model.ts";

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
  /** Packets that were lost, by chance or by a full queue. */
  lost = 0;
  readonly #model: LineModel;
  readonly #heap: Parcel[] = [];
  readonly #pool: Parcel[] = [];
  #order = 0;

  /** @param seed chosen at random if left out */
  constructor(conditions: NetworkConditions, seed: number = Math.trunc(Math.random() * 2 ** 32)) {
    this.#model = new LineModel(conditions, seed);
  }

  /** May be changed at any time, for the packets that follow. */
  get conditions(): NetworkConditions {
    return this.#model.conditions;
  }

  set conditions(conditions: NetworkConditions) {
    this.#model.conditions = conditions;
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
    const dueAt = this.#model.dueAt(packet.length, now);
    if (Number.isNaN(dueAt) || this.#heap.length >= MAX_PARCELS) {
      this.lost++;
      return;
    }
    this.#push(packet, dueAt);
    const again = this.#model.duplicateAt(dueAt);
    if (!Number.isNaN(again)) this.#push(packet, again);
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
