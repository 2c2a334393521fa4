import type { HeldBytes } from "../../net/held-bytes.ts";
import {
  FRAME_CHANNEL,
  FRAME_MODE,
  FRAME_PADDING,
  FRAME_RESERVED,
  FRAME_SLICE,
  type FrameReader,
  MODE_RELIABLE,
  MODE_SEQUENCED,
  MODE_UNRELIABLE,
  MODES,
} from "../wire/frames.ts";
import { sequenceNewer } from "../wire/sequence.ts";
import type { ChannelFailure, ChannelHandler, ChannelStats } from "../wire/types.ts";
import { viewOf } from "../wire/views.ts";
import { assemblyBytes } from "./message-assembly.ts";
import { type HeldMessage, ReceiveBuffer, type Received, ReceiveStream } from "./receive-stream.ts";
import { UnreliableAssemblies } from "./unreliable-assemblies.ts";

export interface InboxOptions {
  maxMessageBytes: number;
  maxUnreliableBytes: number;
  maxReceiveBytes: number;
  held: HeldBytes;
}

/** Reads the frames of packets and delivers their messages: each as its mode promises. */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #stats: ChannelStats;
  readonly #handler: ChannelHandler;
  readonly #streams: Map<number, ReceiveStream> = new Map<number, ReceiveStream>();
  readonly #buffer: ReceiveBuffer;
  readonly #maxUnreliableBytes: number;
  /** Sequenced: the newest delivered, by channel. */
  readonly #newest: Map<number, number> = new Map<number, number>();
  readonly #unreliable: UnreliableAssemblies;
  #closed = false;
  /** Something of the packet found no room. */
  #refused = false;
  /** Set when {@link read} answered false because the peer failed. */
  failure: ChannelFailure | undefined;

  constructor(options: InboxOptions, stats: ChannelStats, handler: ChannelHandler) {
    this.#options = options;
    this.#stats = stats;
    this.#handler = handler;
    this.#buffer = new ReceiveBuffer(options.maxReceiveBytes, options.held);
    this.#maxUnreliableBytes = Math.min(options.maxUnreliableBytes, options.maxMessageBytes);
    this.#unreliable = new UnreliableAssemblies(2 * assemblyBytes(this.#maxUnreliableBytes), options.held);
  }

  /**
   * Reads all frames that `reader` stands before.
   * @returns false if the peer failed (see {@link failure}) or had to go, or if something found no room and the packet has to come
   *   again: what was taken of it is known then
   */
  read(reader: FrameReader): boolean {
    let isFine = true;
    this.#refused = false;
    while (isFine && reader.at < reader.end && !this.#closed) isFine = this.#readFrame(reader);
    this.#stats.receiveBufferedBytes = this.#buffer.bytes;
    return isFine && !this.#refused;
  }

  clear(): void {
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.clear();
    this.#options.held.give(this.#streams.size * ReceiveStream.cost);
    this.#streams.clear();
    this.#unreliable.clear();
    this.#stats.receiveBufferedBytes = 0;
  }

  #readFrame(reader: FrameReader): boolean {
    const type = reader.uint8();
    if (type & FRAME_RESERVED) {
      if (type !== FRAME_PADDING) return this.#fail("malformed", "a frame of unknown type");
      reader.at = reader.end;
      return true;
    }
    const mode = type & FRAME_MODE;
    const slice = (type & FRAME_SLICE) !== 0;
    const channel = type & FRAME_CHANNEL ? reader.uint8() : 0;
    const id = slice || mode !== MODE_UNRELIABLE ? reader.uint16() : 0;
    const total = slice ? reader.varint() : 0;
    const first = slice ? reader.varint() : 0;
    const length = reader.varint();
    const start = reader.skip(length);
    if (reader.failed) return this.#fail("malformed", "a frame that ends behind its packet");
    const cap = mode <= MODE_SEQUENCED ? this.#maxUnreliableBytes : this.#options.maxMessageBytes;
    const bytes = slice ? total : length;
    if (bytes > cap) return this.#fail("message-too-large", `a message of ${bytes} bytes, ${cap} are allowed`);
    if (mode <= MODE_SEQUENCED) {
      return slice
        ? this.#unreliableSlice(mode, channel, id, total, first, reader.bytes, start, length)
        : this.#unreliableWhole(mode, channel, id, reader.bytes, start, length);
    }
    const stream = this.#stream(mode, channel);
    if (!stream) return false;
    const place = stream.classify(id);
    if (place === "old") return true;
    if (place === "too-far") return this.#fail("window-exceeded", `message ${id} is too far ahead`);
    if (slice) {
      return this.#received(stream.addSlice(id, total, first, reader.bytes, start, length), stream, id, mode, channel);
    }
    if (!stream.isDue(id))
      return this.#received(stream.hold(id, reader.bytes, start, length), stream, id, mode, channel);
    stream.deliver(id)?.free();
    this.#message(viewOf(reader.bytes, start, length), mode, channel);
    return this.#drain(stream, mode, channel);
  }

  #unreliableWhole(mode: number, channel: number, id: number, bytes: Uint8Array, start: number, length: number): true {
    if (mode === MODE_UNRELIABLE || this.#advance(channel, id)) {
      this.#message(viewOf(bytes, start, length), mode, channel);
    }
    return true;
  }

  #unreliableSlice(
    mode: number,
    channel: number,
    id: number,
    total: number,
    first: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    const newest = mode === MODE_SEQUENCED ? this.#newest.get(channel) : undefined;
    if (newest !== undefined && !sequenceNewer(id, newest)) return true;
    const key = (channel << 2) | mode;
    const whole = this.#unreliable.add(key, id, total, first, bytes, start, length);
    if (whole === "malformed") return this.#fail("malformed", "a slice that does not fit its message");
    if (whole === "ended") return false;
    if (whole && (mode === MODE_UNRELIABLE || this.#advance(channel, id))) this.#message(whole, mode, channel);
    return true;
  }

  /** Sequenced: whether `id` is newer than all before. */
  #advance(channel: number, id: number): boolean {
    const newest = this.#newest.get(channel);
    if (newest !== undefined && !sequenceNewer(id, newest)) return false;
    this.#newest.set(channel, id);
    return true;
  }

  #received(what: Received, stream: ReceiveStream, id: number, mode: number, channel: number): boolean {
    switch (what) {
      case "malformed":
        return this.#fail("malformed", "a slice that does not fit its message");
      case "full":
        // What all wait for may stand behind it in the same packet.
        this.#refused = true;
        return true;
      case "ended":
        return false;
      case "new":
        if (!stream.isReady(id) || !stream.isDue(id)) return true;
        this.#messageHeld(stream.deliver(id), mode, channel);
        return this.#drain(stream, mode, channel);
      case "old":
      default:
        return true;
    }
  }

  /** Delivers what waited for the message before it. */
  #drain(stream: ReceiveStream, mode: number, channel: number): true {
    if (mode !== MODE_RELIABLE) return true;
    for (let held = stream.deliverNext(); held; held = stream.deliverNext()) this.#messageHeld(held, mode, channel);
    return true;
  }

  #messageHeld(held: HeldMessage | undefined, mode: number, channel: number): void {
    if (!held) return;
    this.#message(held.data(), mode, channel);
    held.free();
  }

  #message(data: Uint8Array, mode: number, channel: number): void {
    if (this.#closed) return;
    this.#stats.messagesReceived++;
    try {
      this.#handler.message(data, MODES[mode] ?? "unreliable", channel);
    } catch (error) {
      // The application's fault, not the packet's: told as the fault of any listener is, and the packet goes on.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** Undefined where there was no room for another, and the peer had to go. */
  #stream(mode: number, channel: number): ReceiveStream | undefined {
    const key = (channel << 2) | mode;
    let stream = this.#streams.get(key);
    if (!stream) {
      if (!this.#options.held.take(ReceiveStream.cost)) return undefined;
      stream = new ReceiveStream(mode === MODE_RELIABLE, this.#buffer);
      this.#streams.set(key, stream);
    }
    return stream;
  }

  #fail(code: ChannelFailure["code"], message: string): false {
    this.failure = { code, message: `The peer sent ${message}.` };
    return false;
  }
}
