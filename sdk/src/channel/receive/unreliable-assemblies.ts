import type { HeldBytes } from "../../net/held-bytes.ts";
import { FRAME_MODE, MODE_UNRELIABLE } from "../wire/frames.ts";
import { sequenceNewer } from "../wire/sequence.ts";
import { MessageAssembly } from "./message-assembly.ts";

/** How many unreliable messages may be incomplete at a time; the oldest gives way to the next. */
const MAX_ASSEMBLIES = 8;
/** What the objects around one weigh. */
const ASSEMBLY_OVERHEAD = 768;

interface Entry {
  readonly key: number;
  readonly id: number;
  readonly assembly: MessageAssembly;
}

/** Unreliable messages of several slices: kept until they are whole, or others push them out. */
export class UnreliableAssemblies {
  readonly #entries: Entry[] = [];
  /** By key: the newest that was delivered, so that a late slice does not begin it anew. */
  readonly #newest: Map<number, number> = new Map<number, number>();
  readonly #maxBytes: number;
  readonly #shared: HeldBytes;
  /** What `#shared` was charged. */
  #charged = 0;

  /**
   * @param maxBytes all incomplete messages together
   * @param shared of the peers' common memory
   */
  constructor(maxBytes: number, shared: HeldBytes) {
    this.#maxBytes = maxBytes;
    this.#shared = shared;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.assembly.bytes, 0);
  }

  /**
   * Adds a slice. `key` is channel and mode, which count their ids apart.
   *
   * @returns the whole message if this completed it; `malformed` if no correct sender sends it; `ended` if the peer had to go, since
   *   too much was held for it.
   */
  add(
    key: number,
    id: number,
    total: number,
    first: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): Uint8Array | "malformed" | "ended" | undefined {
    const received = this.#add(key, id, total, first, bytes, start, length);
    const change = this.bytes + this.#entries.length * ASSEMBLY_OVERHEAD - this.#charged;
    this.#charged += change;
    if (change < 0) this.#shared.give(-change);
    return change > 0 && !this.#shared.take(change) ? "ended" : received;
  }

  clear(): void {
    this.#entries.length = 0;
    this.#shared.give(this.#charged);
    this.#charged = 0;
  }

  #add(
    key: number,
    id: number,
    total: number,
    first: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): Uint8Array | "malformed" | undefined {
    // One of the same id but another length is left over from before the ids wrapped.
    const stale = this.#entries.findIndex((entry) => isFor(entry, key, id) && entry.assembly.total !== total);
    if (stale >= 0) this.#entries.splice(stale, 1);
    let index = this.#entries.findIndex((entry) => isFor(entry, key, id));
    if (index < 0) {
      const newest = this.#newest.get(key);
      // Messages overlap only with their neighbours: what is older than the newest delivered comes too late.
      if (newest !== undefined && !sequenceNewer(id, newest)) return undefined;
      if (this.#entries.length === MAX_ASSEMBLIES) this.#entries.shift();
      index = this.#entries.push({ key, id, assembly: new MessageAssembly(total) }) - 1;
    }
    const assembly = this.#entries[index]?.assembly;
    if (!assembly?.accepts(first, length)) return "malformed";
    const cost = assembly.costOf(first, length);
    while (index > 0 && this.bytes + cost > this.#maxBytes) {
      this.#entries.shift();
      index--;
    }
    if (this.bytes + cost > this.#maxBytes) {
      this.#entries.splice(index, 1);
      return undefined;
    }
    assembly.add(first, bytes, start, length);
    if (!assembly.complete) return undefined;
    this.#entries.splice(index, 1);
    // Sequenced ids are counted on by whole messages too, and the inbox knows the newest.
    if ((key & FRAME_MODE) === MODE_UNRELIABLE) this.#newest.set(key, id);
    return assembly.join();
  }
}

function isFor(entry: Entry, key: number, id: number): boolean {
  return entry.key === key && entry.id === id;
}
