import { giveBuffer, takeBuffer } from "../wire/buffer-pool.ts";
import { MESSAGE_WINDOW, messageCost } from "../wire/frames.ts";
import { MessageAssembly } from "./message-assembly.ts";

/** Reliable bytes held, all streams of a peer together. */
export interface HeldBytes {
  bytes: number;
  readonly cap: number;
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

/** What became of a message or slice. */
export type Received = "new" | "old" | "malformed" | "full";

/** The receiving side of one reliable channel: which message is next, which were delivered, what is held until then. */
export class ReceiveStream {
  /** Ordered: the id to be delivered next. Unordered: every earlier id was delivered. */
  #next = 0;
  readonly #held: Map<number, HeldMessage> = new Map<number, HeldMessage>();
  readonly #bytes: HeldBytes;
  /** Unordered: ids from `#next` on that were delivered, a ring of bits. */
  readonly #delivered: Uint8Array | undefined;

  constructor(ordered: boolean, bytes: HeldBytes) {
    this.#delivered = ordered ? undefined : new Uint8Array(MESSAGE_WINDOW / 8);
    this.#bytes = bytes;
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
    if (!this.#charge(whole, messageCost(length))) return "full";
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
    if (!held) {
      held = new HeldMessage(new MessageAssembly(total));
      if (!this.#charge(held, messageCost(total) - total)) return "full";
      this.#held.set(id, held);
    }
    const { assembly } = held;
    if (!assembly || assembly.total !== total) return "malformed";
    if (assembly.complete) return "old";
    if (!assembly.accepts(first, length)) return "malformed";
    if (!this.#charge(held, assembly.costOf(first, length))) return "full";
    assembly.add(first, bytes, start, length);
    return "new";
  }

  clear(): void {
    for (const id of this.#held.keys()) this.#take(id)?.free();
  }

  #charge(held: HeldMessage, cost: number): boolean {
    if (this.#bytes.bytes + cost > this.#bytes.cap) return false;
    this.#bytes.bytes += cost;
    held.cost += cost;
    return true;
  }

  #take(id: number): HeldMessage | undefined {
    const held = this.#held.get(id);
    if (!held) return undefined;
    this.#bytes.bytes -= held.cost;
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
