import { MAX_PACKET_HEADER_BYTES } from "./reliable-header.ts";
import type { DeliveryMode } from "./types.ts";

/**
 * What stands in the payload of a reliable packet:
 * ```
 *  control        bits 0-1 urgency: how soon an acknowledgement is wanted, see URGENCY
 *                 bit 2    an ack delay follows
 *                 bit 3    older acks follow
 *                 bits 4-7 zero
 *  [ack delay]    time from the arrival of the header's `ack` to the sending of this packet, in 1/4 ms; 255: that or more
 *  [older acks]   n (1-28), then n bytes: bit k of byte j says that (ack - 32 - 8j - k) was received
 *  frame*         up to the end of the packet
 * ```
 * A frame, whole or a slice:
 * ```
 *  type           bits 0-1 mode (0 unreliable, 1 unreliable-sequenced, 2 reliable-unordered, 3 reliable)
 *                 bit 2    this is a slice
 *                 bit 3    a channel follows; else it is channel 0
 *                 bits 4-7 zero
 *  [channel]      1-255
 *  [id]           uint16, little-endian; not in whole unreliable messages
 *  [total]        slice: varint, length of the message
 *  [first]        slice: varint, number of the first block of 128 bytes
 *  length         varint
 *  data           slice: whole blocks, but for the last of the message
 * ```
 * A frame of type 16 is padding: it, and all that follows in the packet, says nothing.
 *
 * varint: 7 bits a byte, low bits first, bit 7 says that another follows; at most 4 bytes.
 */

export const CONTROL_URGENCY = 0x03;
export const CONTROL_ACK_DELAY = 0x04;
export const CONTROL_OLDER_ACKS = 0x08;
export const CONTROL_RESERVED = 0xf0;

export const ACK_DELAY_UNITS_PER_MS = 4;
export const ACK_DELAY_UNKNOWN = 255;
/** 256 sequences are tracked, the header has 32 of them. */
export const MAX_OLDER_ACK_BYTES = 28;
/** The most that stands before the frames: reliable's header, control byte, ack delay, older acks. */
export const MAX_PACKET_OVERHEAD: number = MAX_PACKET_HEADER_BYTES + 2 + 1 + MAX_OLDER_ACK_BYTES;

export const FRAME_MODE = 0x03;
export const FRAME_SLICE = 0x04;
export const FRAME_CHANNEL = 0x08;
export const FRAME_RESERVED = 0xf0;
/** The whole type of a frame that reaches up to the end of the packet and says nothing. */
export const FRAME_PADDING = 0x10;

/** How soon a packet is to be acknowledged, by the control byte's urgency, in ms. */
export const URGENCY: { readonly none: 0; readonly lazy: 1; readonly normal: 2; readonly soon: 3 } = {
  none: 0,
  lazy: 1,
  normal: 2,
  soon: 3,
};
export const MAX_ACK_DELAY_MS: readonly number[] = [Infinity, 60, 25, 5];
/** For how long the sender then waits for it: somewhat longer, as the peer's timers and ticks come late. */
export const AWAITED_ACK_DELAY_MS: readonly number[] = [0, 65, 29, 6];

/** Slices are made of blocks of this many bytes. */
export const BLOCK_BYTES = 128;
/** How many blocks a sender may be ahead of the first that is not acknowledged: 512 KiB. */
export const BLOCK_WINDOW = 4096;
/** How many messages a sender may be ahead of the oldest that is not acknowledged, by channel and mode. */
export const MESSAGE_WINDOW = 2048;
/**
 * Beside the longest of them, a sender begins no message that needs slices while those begun and not released are longer together: a
 * receiver that holds as much early would have to refuse it.
 */
export const SLICES_AHEAD_BYTES: number = 256 * 1024;
/** netcode's largest payload: what a path is taken to carry until it was searched. */
export const MAX_PACKET_BYTES = 1200;
/** The longest packet that may be searched for: netcode's seal makes it a datagram of 1452 bytes. */
export const LONGEST_PACKET_BYTES = 1427;
/** In a packet longer than {@link MAX_PACKET_BYTES} whose message needs the room: older acks that do not fit are told in the next. */
export const FEW_OLDER_ACK_BYTES = 8;
/** The longest message that a varint of 4 bytes can tell. */
export const MAX_MESSAGE_BYTES = 0x0fffffff;

/** What a reliable message counts against `maxBufferedBytes`: about what it weighs (measured on Node 26: 426 bytes for 1, 2394 for 1100). */
export function messageCost(bytes: number): number {
  return bytes + (bytes > 1024 ? 1408 : 384);
}

/** By number, as frames have them. */
export const MODES: readonly DeliveryMode[] = ["unreliable", "unreliable-sequenced", "reliable-unordered", "reliable"];
export const MODE_UNRELIABLE = 0;
export const MODE_SEQUENCED = 1;
export const MODE_UNORDERED = 2;
export const MODE_RELIABLE = 3;

export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/** @returns where it ends. */
export function writeVarint(out: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** Reads within a packet; `failed` once anything would lie behind its end. */
export class FrameReader {
  bytes: Uint8Array = new Uint8Array();
  at = 0;
  end = 0;
  failed = false;

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.failed = false;
  }

  uint8(): number {
    if (this.at >= this.end) {
      this.failed = true;
      return 0;
    }
    return this.bytes[this.at++] ?? 0;
  }

  uint16(): number {
    const low = this.uint8();
    return low | (this.uint8() << 8);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.uint8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }

  /** Steps over `bytes`, and answers where they begin. */
  skip(bytes: number): number {
    const start = this.at;
    if (bytes > this.end - start) this.failed = true;
    else this.at = start + bytes;
    return start;
  }
}

/** How long frames may be in a packet of this size: one that is longer than every path's makes room by telling fewer acks. */
export function frameBytesOf(bytes: number): number {
  const spared = bytes > MAX_PACKET_BYTES ? MAX_OLDER_ACK_BYTES - FEW_OLDER_ACK_BYTES : 0;
  return bytes - MAX_PACKET_OVERHEAD + spared;
}
