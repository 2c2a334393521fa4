/**
 * What both ends of a tunnel say in their session. `port` counts the ports of the offer from 0. Numbers are little-endian.
 *
 * A datagram is an unreliable message on channel 0. The guest numbers its flows: one for each source address and port.
 *
 *     [port u8] [flow u16] [payload]
 *
 * A stream is a TCP connection that the guest's local program opened. Its messages are reliable, and go on a channel that
 * follows from its number, so that streams do not wait for one another:
 *
 *     [kind u8] [stream u32] …
 *       1 open    [port u8]   guest to host
 *       2 data    [bytes]     no more than the other side's window
 *       3 end                 no more data from this side (TCP's FIN)
 *       4 reset               the stream is gone (TCP's RST)
 *       5 window  [more u32]  so many bytes more may be sent; reliable, unordered
 */
import { LONGEST_PACKET_BYTES } from "../../channel/wire/frames.ts";

/** Both ends search the path up to it, so that a full datagram of ENet's or Unity's (1392, 1400 bytes) travels whole. */
export const TUNNEL_PACKET_BYTES: number = LONGEST_PACKET_BYTES;
/** Of datagrams. */
export const DATAGRAM_CHANNEL = 0;
export const DATAGRAM_HEADER_BYTES = 3;
/** Streams share so many channels, from 1 on. */
const STREAM_CHANNELS = 250;
export const STREAM_HEADER_BYTES = 5;
/** The most data in one message. */
export const MAX_STREAM_DATA_BYTES = 32_768;
/** What either side may send on a stream before the first `window`, bytes. */
export const FIRST_WINDOW_BYTES = 65_536;

export const STREAM_OPEN = 1;
export const STREAM_DATA = 2;
export const STREAM_END = 3;
export const STREAM_RESET = 4;
export const STREAM_WINDOW = 5;

export type StreamKind =
  | typeof STREAM_OPEN
  | typeof STREAM_DATA
  | typeof STREAM_END
  | typeof STREAM_RESET
  | typeof STREAM_WINDOW;

/** The channel of a stream's messages, 1-250. */
export function streamChannel(id: number): number {
  return 1 + (id % STREAM_CHANNELS);
}

/** The longest message that is written: what a session takes for a datagram, and a piece of a stream. */
const MAX_MESSAGE_BYTES = 65_536;

/** Writes messages into memory of its own. What it gives is valid until the next call. */
export class TunnelWriter {
  readonly #out: Buffer = Buffer.allocUnsafeSlow(MAX_MESSAGE_BYTES);
  /** By length, so that a datagram makes no object. */
  readonly #views: (Buffer | undefined)[] = [];

  /** Undefined for a payload that no session takes. */
  datagram(port: number, flow: number, payload: Uint8Array): Buffer | undefined {
    const length = DATAGRAM_HEADER_BYTES + payload.length;
    if (length > MAX_MESSAGE_BYTES) return undefined;
    const out = this.#out;
    out[0] = port;
    out[1] = flow & 0xff;
    out[2] = flow >>> 8;
    out.set(payload, DATAGRAM_HEADER_BYTES);
    return this.#view(length);
  }

  /** @param payload at most {@link MAX_STREAM_DATA_BYTES} */
  data(id: number, payload: Uint8Array): Buffer {
    this.#header(STREAM_DATA, id);
    this.#out.set(payload, STREAM_HEADER_BYTES);
    return this.#out.subarray(0, STREAM_HEADER_BYTES + payload.length);
  }

  open(id: number, port: number): Buffer {
    this.#header(STREAM_OPEN, id);
    this.#out[STREAM_HEADER_BYTES] = port;
    return this.#view(STREAM_HEADER_BYTES + 1);
  }

  window(id: number, more: number): Buffer {
    this.#header(STREAM_WINDOW, id);
    this.#out.writeUInt32LE(more, STREAM_HEADER_BYTES);
    return this.#view(STREAM_HEADER_BYTES + 4);
  }

  bare(kind: typeof STREAM_END | typeof STREAM_RESET, id: number): Buffer {
    this.#header(kind, id);
    return this.#view(STREAM_HEADER_BYTES);
  }

  #header(kind: StreamKind, id: number): void {
    this.#out[0] = kind;
    this.#out.writeUInt32LE(id, 1);
  }

  #view(length: number): Buffer {
    return (this.#views[length] ??= this.#out.subarray(0, length));
  }
}

export type StreamMessage =
  | { kind: typeof STREAM_OPEN; id: number; port: number }
  | { kind: typeof STREAM_DATA; id: number; data: Uint8Array }
  | { kind: typeof STREAM_END | typeof STREAM_RESET; id: number }
  | { kind: typeof STREAM_WINDOW; id: number; more: number };

/** `data` looks into the message. Undefined for what no correct end says. */
export function parseStreamMessage(message: Uint8Array): StreamMessage | undefined {
  if (message.length < STREAM_HEADER_BYTES) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const id = view.getUint32(1, true);
  const rest = message.length - STREAM_HEADER_BYTES;
  switch (view.getUint8(0)) {
    case STREAM_OPEN:
      return rest === 1 ? { kind: STREAM_OPEN, id, port: view.getUint8(STREAM_HEADER_BYTES) } : undefined;
    case STREAM_DATA:
      return rest > 0 && rest <= MAX_STREAM_DATA_BYTES
        ? { kind: STREAM_DATA, id, data: message.subarray(STREAM_HEADER_BYTES) }
        : undefined;
    case STREAM_END:
      return rest === 0 ? { kind: STREAM_END, id } : undefined;
    case STREAM_RESET:
      return rest === 0 ? { kind: STREAM_RESET, id } : undefined;
    case STREAM_WINDOW:
      return rest === 4 ? { kind: STREAM_WINDOW, id, more: view.getUint32(STREAM_HEADER_BYTES, true) } : undefined;
    default:
      return undefined;
  }
}
