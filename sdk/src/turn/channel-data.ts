/** RFC 8656 section 12. */
export const FIRST_CHANNEL = 0x4000;
export const LAST_CHANNEL = 0x4fff;
/** Channel number and length (RFC 8656 section 12.4). */
export const CHANNEL_HEADER_BYTES = 4;

/** The most that one datagram to a peer may hold: a UDP datagram's less the header of a Send indication. */
export const MAX_RELAYED_BYTES = 65_400;

/** Datagrams up to this size are framed in memory that is used again. */
const CACHED_VIEWS = 2048;

/** Frames data for a channel, always in the same memory: what it returns holds until the next call. */
export class ChannelDataWriter {
  readonly #slab: Buffer = Buffer.allocUnsafeSlow(CACHED_VIEWS);
  readonly #views: (Buffer | undefined)[] = [];
  readonly #padded: boolean;

  /** @param padded to a multiple of four, as streams need it (RFC 8656 section 12.5) */
  constructor(padded: boolean) {
    this.#padded = padded;
  }

  frame(channel: number, data: Uint8Array): Buffer {
    const length = CHANNEL_HEADER_BYTES + data.length;
    const padding = this.#padded ? -length & 3 : 0;
    const frame = this.#viewOf(length + padding);
    frame.writeUInt16BE(channel, 0);
    frame.writeUInt16BE(data.length, 2);
    frame.set(data, CHANNEL_HEADER_BYTES);
    if (padding > 0) frame.fill(0, length);
    return frame;
  }

  #viewOf(length: number): Buffer {
    if (length > CACHED_VIEWS) return Buffer.allocUnsafe(length);
    return (this.#views[length] ??= this.#slab.subarray(0, length));
  }
}

/** Whether a datagram's first byte is that of a channel (RFC 7983): the game's own packets never begin so. */
export function isChannelData(data: Uint8Array): boolean {
  return ((data[0] ?? 0) & 0xf0) === 0x40 && data.length >= CHANNEL_HEADER_BYTES;
}
