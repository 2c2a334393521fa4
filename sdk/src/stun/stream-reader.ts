import { MAGIC_COOKIE, STUN_HEADER_BYTES } from "./constants.ts";

/** ChannelData's number and length (RFC 8656 section 12.4); STUN's length stands at the same place. */
const CHANNEL_HEADER_BYTES = 4;

/**
 * Cuts a TCP or TLS stream into STUN messages and ChannelData. It keeps at most the one frame that is not whole yet, and
 * only bytes that have come.
 */
export class TurnStreamReader {
  #chunks: Buffer[] = [];
  #buffered = 0;

  /**
   * @param frame gets each whole frame, ChannelData without its padding; a view of `chunk` where the frame lies in it
   * @returns `false` when the bytes are neither STUN nor ChannelData: the stream is of no use any more
   */
  push(chunk: Buffer, frame: (data: Buffer) => void): boolean {
    let data = chunk;
    if (this.#buffered > 0) {
      this.#chunks.push(chunk);
      this.#buffered += chunk.length;
      // Joined when there is enough, not with each chunk: a peer that sends byte by byte must not cost squares.
      const [head] = this.#chunks as [Buffer];
      if (head.length >= CHANNEL_HEADER_BYTES && this.#buffered < paddedSize(head)) return true;
      data = Buffer.concat(this.#chunks, this.#buffered);
    }
    this.#chunks = [];
    this.#buffered = 0;
    for (;;) {
      if (data.length > 0 && !isFrameStart(data)) return false;
      if (data.length < CHANNEL_HEADER_BYTES || data.length < paddedSize(data)) break;
      const size = frameSize(data);
      const next = data.subarray(paddedSize(data));
      frame(data.subarray(0, size));
      data = next;
    }
    if (data.length > 0) {
      this.#chunks = [data];
      this.#buffered = data.length;
    }
    return true;
  }
}

/** From 0x4000 to 0x7FFF: RFC 5766 has four times the channels of RFC 8656. */
function isChannel(data: Buffer): boolean {
  return ((data[0] ?? 0) & 0xc0) === 0x40;
}

/** As far as the bytes have come. */
function isFrameStart(data: Buffer): boolean {
  if (isChannel(data)) return true;
  if (((data[0] ?? 0xff) & 0xc0) !== 0) return false;
  if (data.length >= CHANNEL_HEADER_BYTES && (data.readUInt16BE(2) & 3) !== 0) return false;
  return data.length < 8 || data.readUInt32BE(4) === MAGIC_COOKIE;
}

function frameSize(header: Buffer): number {
  return header.readUInt16BE(2) + (isChannel(header) ? CHANNEL_HEADER_BYTES : STUN_HEADER_BYTES);
}

function paddedSize(header: Buffer): number {
  const size = frameSize(header);
  return size + (-size & 3);
}
