import type { HeldBytes } from "../../net/held-bytes.ts";
import { bufferBytes, giveBuffer, takeBuffer } from "../wire/buffer-pool.ts";
import { MESSAGE_WINDOW } from "../wire/frames.ts";
import { MessageAssembly } from "./message-assembly.ts";

/** What the objects around a message's bytes weigh that is held whole (measured on Node 26: 330 bytes). */
const WHOLE_OVERHEAD = 384;
/** The same of one that is put together, without its pages (640 bytes). */
const ASSEMBLY_OVERHEAD = 768;
/** A stream, with its window of bits (500 to 800 bytes). */
const STREAM_BYTES = 1024;

/** Reliable bytes held, all streams of a peer together. */
export class ReceiveBuffer {
  bytes = 0;
  /** Of the peers' common memory. */
  readonly shared: HeldBytes;
  readonly #cap: number;
  /**
   * The longest message that is next in its stream. It does not count against the cap: whatever waits for it, it becomes whole. A sender
   * begins no other that would not have room (`SLICES_AHEAD_BYTES`).
   */
  #favoured: HeldMessage | undefined;

  constructor(cap: number, shared: HeldBytes) {
    this.#cap = cap;
    this.shared = shared;
  }

  /** @param isDue nothing earlier is waited for: once it is whole, it goes */
  charge(message: HeldMessage, cost: number, isDue: boolean): "ok" | "full" | "ended" {
    if (isDue && (this.#favoured?.total ?? 0) < message.total) this.#favoured = message;
    const favoured = this.#favoured;
    if (favoured !== message && this.bytes - (favoured?.cost ?? 0) + cost > this.#cap) return "full";
    if (!this.shared.take(cost)) return "ended";
    this.bytes += cost;
    message.cost += cost;
    return "ok";
  }

  release(message: HeldMessage): void {
    this.bytes -= message.cost;
    this.shared.give(message.cost);
    if (this.#favoured === message) this.#favoured = undefined;
  }
}

/** A message that could not be delivered at once: bytes were missing, or an earlier message. */
export class HeldMessage {
  /** Copied, if it came whole; the buffer may be longer. */
  buffer: Uint8Array | undefined;
  length = 0;
  readonly assembly: MessageAssembly | undefined;
  /** What it counts against the cap. */
  cost = 0;

  constructor(assembly: MessageAssembly | undefined) {
    this.assembly = assembly;
  }

  /** Of a message that is put together: how long it will be. */
  get total(): number {
    return this.assembly?.total ?? 0;
  }

  get ready(): boolean {
    return this.assembly ? this.assembly.complete : true;
  }

  /** All of its bytes; valid until {@link free}. */
  data(): Uint8Array {
    return this.assembly?.join() ?? this.buffer?.subarray(0, this.length) ?? new Uint8Array();
  }

  free(): void {
    if (this.buffer) giveBuffer(this.buffer);
    this.buffer = undefined;
  }
}

/** What became of a message or slice: `full`: it has to come again; `ended`: the peer held too much, and had to go. */
export type Received = "new" | "old" | "malformed" | "full" | "ended";

/** The receiving side of one reliable channel: which message is next, which were delivered, what is held until then. */
export class ReceiveStream {
  /** Ordered: the id to be delivered next. Unordered: every earlier id was delivered. */
  #next = 0;
  readonly #held: Map<number, HeldMessage> = new Map<number, HeldMessage>();
  readonly #buffer: ReceiveBuffer;
  /** Unordered: ids from `#next` on that were delivered, a ring of bits. */
  readonly #delivered: Uint8Array | undefined;

  /** The caller has charged `shared` of {@link ReceiveStream.cost}. */
  constructor(ordered: boolean, buffer: ReceiveBuffer) {
    this.#delivered = ordered ? undefined : new Uint8Array(MESSAGE_WINDOW / 8);
    this.#buffer = buffer;
  }

  /** What a stream weighs that holds nothing. */
  static get cost(): number {
    return STREAM_BYTES;
  }

  get ordered(): boolean {
    return this.#delivered === undefined;
  }

  classify(id: number): "new" | "old" | "too-far" {
    const ahead = (id - this.#next) & 0xffff;
    if (ahead >= 0x8000) return "old";
    if (ahead >= MESSAGE_WINDOW) return "too-far";
    return this.#delivered && bitOf(this.#delivered, id) ? "old" : "new";
  }

  /** Whether a message may be delivered as soon as it is whole. */
  isDue(id: number): boolean {
    return this.#delivered !== undefined || id === this.#next;
  }

  /** Notes that a message is being delivered. @returns what was held of it; the caller frees it. */
  deliver(id: number): HeldMessage | undefined {
    const held = this.#take(id);
    if (!this.#delivered) {
      this.#next = (this.#next + 1) & 0xffff;
      return held;
    }
    setBit(this.#delivered, id, true);
    while (bitOf(this.#delivered, this.#next)) {
      setBit(this.#delivered, this.#next, false);
      this.#next = (this.#next + 1) & 0xffff;
    }
    return held;
  }

  /** Delivers the message that is next, if it is held and whole. */
  deliverNext(): HeldMessage | undefined {
    return this.isReady(this.#next) ? this.deliver(this.#next) : undefined;
  }

  /** Whether all of a message is held. */
  isReady(id: number): boolean {
    return this.#held.get(id)?.ready ?? false;
  }

  /** Holds a copy of a whole message that is not due. */
  hold(id: number, bytes: Uint8Array, start: number, length: number): Received {
    const held = this.#held.get(id);
    if (held?.ready) return "old";
    this.#take(id)?.free();
    const whole = new HeldMessage(undefined);
    const charged = this.#buffer.charge(whole, bufferBytes(length) + WHOLE_OVERHEAD, false);
    if (charged !== "ok") return charged;
    whole.buffer = takeBuffer(length);
    whole.buffer.set(bytes.subarray(start, start + length));
    whole.length = length;
    this.#held.set(id, whole);
    return "new";
  }

  /** Adds a slice. */
  addSlice(id: number, total: number, first: number, bytes: Uint8Array, start: number, length: number): Received {
    let held = this.#held.get(id);
    if (held && !held.assembly) return "old";
    const isDue = this.isDue(id);
    if (!held) {
      held = new HeldMessage(new MessageAssembly(total));
      const charged = this.#buffer.charge(held, ASSEMBLY_OVERHEAD, isDue);
      if (charged !== "ok") return charged;
      this.#held.set(id, held);
    }
    const { assembly } = held;
    if (!assembly || assembly.total !== total) return "malformed";
    if (assembly.complete) return "old";
    if (!assembly.accepts(first, length)) return "malformed";
    const charged = this.#buffer.charge(held, assembly.costOf(first, length), isDue);
    if (charged !== "ok") return charged;
    assembly.add(first, bytes, start, length);
    return "new";
  }

  clear(): void {
    for (const id of this.#held.keys()) this.#take(id)?.free();
  }

  #take(id: number): HeldMessage | undefined {
    const held = this.#held.get(id);
    if (!held) return undefined;
    this.#buffer.release(held);
    this.#held.delete(id);
    return held;
  }
}

function bitOf(bits: Uint8Array, id: number): boolean {
  const bit = id & (MESSAGE_WINDOW - 1);
  return (((bits[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
}

function setBit(bits: Uint8Array, id: number, value: boolean): void {
  const bit = id & (MESSAGE_WINDOW - 1);
  const byte = bits[bit >>> 3] ?? 0;
  bits[bit >>> 3] = value ? byte | (1 << (bit & 7)) : byte & ~(1 << (bit & 7));
}
