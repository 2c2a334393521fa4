/**
 * Headers of reliable 1.0 (STANDARD.md of mas-bandwidth/reliable). All integers are little-endian.
 *
 * Packet header, 4-9 bytes:
 * ```
 *  0      prefix: bit 0 = 0, bits 1-4 = ack_bits byte 0-3 is present, bit 5 = ack is one byte, bits 6-7 = 0
 *  1-2    sequence of this packet
 *  3      ack, as sequence - ack, if prefix bit 5; else 3-4 ack, the newest sequence seen
 *  then   those bytes of ack_bits that are not ff, low byte first; bit n says that ack - n was received
 * ```
 * Fragment header, 5 bytes; after the first fragment's stands the packet header of the whole:
 * ```
 *  0      prefix: 1
 *  1-2    sequence of the whole packet
 *  3      number of this fragment
 *  4      number of fragments - 1
 * ```
 */

/** The longest packet header. */
export const MAX_PACKET_HEADER_BYTES = 9;
export const FRAGMENT_HEADER_BYTES = 5;

const PREFIX_FRAGMENT = 0x01;
const PREFIX_ACK_ONE_BYTE = 0x20;

/** What a packet header says. Reused by its reader: one object per endpoint, not per packet. */
export interface PacketHeader {
  sequence: number;
  ack: number;
  /** Unsigned 32 bits. Bit n: `ack - n` was received; bit 0 is `ack` itself. */
  ackBits: number;
}

/** What a fragment header says. `ack` and `ackBits` hold only for fragment 0. */
export interface FragmentHeader extends PacketHeader {
  fragmentId: number;
  numFragments: number;
  /** Where the fragment's data begins, and how long it is. */
  dataOffset: number;
  dataBytes: number;
}

/** Writes the only canonical form. @returns its length, 4-9. */
export function writePacketHeader(
  out: Uint8Array,
  offset: number,
  sequence: number,
  ack: number,
  ackBits: number,
): number {
  let prefix = 0;
  let at = offset + 1;
  out[at++] = sequence & 0xff;
  out[at++] = sequence >>> 8;
  const difference = (sequence - ack) & 0xffff;
  if (difference <= 0xff) {
    prefix |= PREFIX_ACK_ONE_BYTE;
    out[at++] = difference;
  } else {
    out[at++] = ack & 0xff;
    out[at++] = ack >>> 8;
  }
  for (let byte = 0; byte < 4; byte++) {
    const bits = (ackBits >>> (byte * 8)) & 0xff;
    if (bits !== 0xff) {
      prefix |= 2 << byte;
      out[at++] = bits;
    }
  }
  out[offset] = prefix;
  return at - offset;
}

/**
 * Reads a packet header from `bytes[offset..end)`.
 *
 * @returns its length, or -1 if it is cut short or a fragment's. Non-canonical forms are read, as the reference does.
 */
export function readPacketHeader(bytes: Uint8Array, offset: number, end: number, header: PacketHeader): number {
  if (end - offset < 4) return -1;
  const prefix = bytes[offset] ?? 0;
  if (prefix & PREFIX_FRAGMENT) return -1;
  let length = prefix & PREFIX_ACK_ONE_BYTE ? 4 : 5;
  for (let byte = 0; byte < 4; byte++) length += (prefix >>> (byte + 1)) & 1;
  if (end - offset < length) return -1;

  let at = offset + 1;
  const sequence = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8);
  at += 2;
  header.sequence = sequence;
  if (prefix & PREFIX_ACK_ONE_BYTE) {
    header.ack = (sequence - byteAt(bytes, at)) & 0xffff;
    at += 1;
  } else {
    header.ack = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8);
    at += 2;
  }
  let ackBits = 0xffffffff;
  for (let byte = 0; byte < 4; byte++) {
    if (prefix & (2 << byte)) {
      ackBits = (ackBits & ~(0xff << (byte * 8))) | (byteAt(bytes, at++) << (byte * 8));
    }
  }
  header.ackBits = ackBits >>> 0;
  return length;
}

/** @returns the header's length, 5. */
export function writeFragmentHeader(
  out: Uint8Array,
  offset: number,
  sequence: number,
  fragmentId: number,
  numFragments: number,
): number {
  out[offset] = PREFIX_FRAGMENT;
  out[offset + 1] = sequence & 0xff;
  out[offset + 2] = sequence >>> 8;
  out[offset + 3] = fragmentId;
  out[offset + 4] = numFragments - 1;
  return FRAGMENT_HEADER_BYTES;
}

const canonical = new Uint8Array(MAX_PACKET_HEADER_BYTES);

/** Reads a whole datagram as a fragment. @returns whether it is a valid one under these limits. */
export function readFragmentHeader(
  bytes: Uint8Array,
  maxFragments: number,
  fragmentBytes: number,
  header: FragmentHeader,
): boolean {
  if (bytes.length < FRAGMENT_HEADER_BYTES || bytes[0] !== PREFIX_FRAGMENT) return false;
  const sequence = byteAt(bytes, 1) | (byteAt(bytes, 2) << 8);
  const fragmentId = byteAt(bytes, 3);
  const numFragments = byteAt(bytes, 4) + 1;
  if (numFragments > maxFragments || fragmentId >= numFragments) return false;

  let dataOffset = FRAGMENT_HEADER_BYTES;
  header.ack = 0;
  header.ackBits = 0;
  if (fragmentId === 0) {
    const length = readPacketHeader(bytes, FRAGMENT_HEADER_BYTES, bytes.length, header);
    if (length < 0 || header.sequence !== sequence) return false;
    // Only the canonical form (STANDARD.md, "Canonical encoding is mandatory").
    if (writePacketHeader(canonical, 0, header.sequence, header.ack, header.ackBits) !== length) return false;
    for (let i = 0; i < length; i++) if (canonical[i] !== bytes[FRAGMENT_HEADER_BYTES + i]) return false;
    dataOffset += length;
  }
  const dataBytes = bytes.length - dataOffset;
  if (dataBytes > fragmentBytes) return false;
  if (fragmentId !== numFragments - 1 && dataBytes !== fragmentBytes) return false;
  header.sequence = sequence;
  header.fragmentId = fragmentId;
  header.numFragments = numFragments;
  header.dataOffset = dataOffset;
  header.dataBytes = dataBytes;
  return true;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
