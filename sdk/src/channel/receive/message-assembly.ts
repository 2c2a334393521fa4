import { BLOCK_BYTES, BLOCK_WINDOW } from "../wire/frames.ts";

const PAGE_BYTES = 4096;
/** What the objects around a page weigh. */
const PAGE_OVERHEAD = 256;
const BLOCKS_PER_PAGE = PAGE_BYTES / BLOCK_BYTES;

/** What a message of so many bytes weighs when all of its pages are there. */
export function assemblyBytes(total: number): number {
  return total + Math.ceil(total / PAGE_BYTES) * PAGE_OVERHEAD;
}

/**
 * Puts a sliced message together. Memory comes by pages of 4 KiB as their bytes arrive, and no further ahead of the
 * first missing block than a correct sender goes: what a slice claims the message to be long costs nothing.
 */
export class MessageAssembly {
  readonly total: number;
  /** What its pages weigh. */
  bytes = 0;
  readonly #blocks: number;
  readonly #pages: (Uint8Array | undefined)[] = [];
  /** Blocks received from `#frontier` on: a ring of bits of the window's size, or of the message's if that is less. */
  readonly #received: Uint8Array;
  readonly #ringMask: number;
  #frontier = 0;

  constructor(total: number) {
    this.total = total;
    this.#blocks = Math.ceil(total / BLOCK_BYTES);
    const ring = this.#blocks >= BLOCK_WINDOW ? BLOCK_WINDOW : 2 ** Math.ceil(Math.log2(Math.max(this.#blocks, 8)));
    this.#ringMask = ring - 1;
    this.#received = new Uint8Array(ring / 8);
  }

  get complete(): boolean {
    return this.#frontier === this.#blocks;
  }

  /** Whether a slice of `bytes` at block `first` is one that a correct sender may send. */
  accepts(first: number, bytes: number): boolean {
    const end = first * BLOCK_BYTES + bytes;
    if (bytes === 0 || end > this.total || (end < this.total && bytes % BLOCK_BYTES !== 0)) return false;
    return Math.ceil(end / BLOCK_BYTES) <= this.#frontier + BLOCK_WINDOW;
  }

  /** What {@link add} would allocate at most. */
  costOf(first: number, bytes: number): number {
    let cost = 0;
    const last = Math.floor((first * BLOCK_BYTES + bytes - 1) / PAGE_BYTES);
    for (let page = Math.floor(first / BLOCKS_PER_PAGE); page <= last; page++) {
      if (!this.#pages[page]) cost += this.#pageBytes(page) + PAGE_OVERHEAD;
    }
    return cost;
  }

  /** Stores a slice that {@link accepts} approved; blocks that are there already are passed over. */
  add(first: number, data: Uint8Array, start: number, bytes: number): void {
    for (let done = 0, block = first; done < bytes; done += BLOCK_BYTES, block++) {
      if (block < this.#frontier || this.#has(block)) continue;
      const from = start + done;
      const length = Math.min(BLOCK_BYTES, bytes - done);
      this.#page(Math.floor(block / BLOCKS_PER_PAGE)).set(
        data.subarray(from, from + length),
        (block % BLOCKS_PER_PAGE) * BLOCK_BYTES,
      );
      this.#mark(block, true);
    }
    while (this.#frontier < this.#blocks && this.#has(this.#frontier)) this.#mark(this.#frontier++, false);
  }

  /** The whole message, once {@link complete}. */
  join(): Uint8Array {
    const [first] = this.#pages;
    if (this.#pages.length === 1 && first) return first;
    const whole = new Uint8Array(this.total);
    for (const [index, page] of this.#pages.entries()) if (page) whole.set(page, index * PAGE_BYTES);
    return whole;
  }

  #pageBytes(page: number): number {
    return Math.min(PAGE_BYTES, this.total - page * PAGE_BYTES);
  }

  #page(index: number): Uint8Array {
    let page = this.#pages[index];
    if (!page) {
      page = new Uint8Array(this.#pageBytes(index));
      this.bytes += page.length + PAGE_OVERHEAD;
      this.#pages[index] = page;
    }
    return page;
  }

  #has(block: number): boolean {
    const bit = block & this.#ringMask;
    return (((this.#received[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
  }

  #mark(block: number, received: boolean): void {
    const bit = block & this.#ringMask;
    const byte = this.#received[bit >>> 3] ?? 0;
    this.#received[bit >>> 3] = received ? byte | (1 << (bit & 7)) : byte & ~(1 << (bit & 7));
  }
}
