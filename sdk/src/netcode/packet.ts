import {
  MAX_PACKET_BYTES,
  MAX_PAYLOAD_BYTES,
  MIN_ENCRYPTED_PACKET_BYTES,
  PACKET_AAD_BYTES,
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  PACKET_RESPONSE,
  PAYLOAD_OVERHEAD_BYTES,
  TAG_BYTES,
  VERSION,
} from "./constants.ts";
import type { ReplayWindow } from "./replay.ts";
import { getSlab, type Slab } from "./sodium.ts";

/** Challenge sequence (8) and challenge token (300). */
export const CHALLENGE_BODY_BYTES = 308;
export const KEEP_ALIVE_BODY_BYTES = 8;

/** Types that each side reads, as bits. Everything else stops before any cryptography. */
export const CLIENT_READS: number =
  (1 << PACKET_DENIED) |
  (1 << PACKET_CHALLENGE) |
  (1 << PACKET_KEEP_ALIVE) |
  (1 << PACKET_PAYLOAD) |
  (1 << PACKET_DISCONNECT);
export const SERVER_READS: number =
  (1 << PACKET_RESPONSE) | (1 << PACKET_KEEP_ALIVE) | (1 << PACKET_PAYLOAD) | (1 << PACKET_DISCONNECT);

/** What {@link PacketCodec.open} answers instead of a type. */
export const REFUSED_SIZE = -1;
export const REFUSED_TYPE = -2;
export const REFUSED_REPLAY = -3;
export const REFUSED_FORGED = -4;
export const REFUSED_BODY = -5;

/** Seals and opens the encrypted packets of one protocol id. Results are fields and slab regions: nothing is allocated. */
export class PacketCodec {
  readonly #slab: Slab;
  /** Associated data: version, protocol id, and the prefix byte of the packet at hand. */
  readonly #ad: number;
  /** The longest payload, and the longest datagram that is looked at. */
  readonly maxPayloadBytes: number;
  readonly maxPacketBytes: number;
  /** Sequence of the packet that {@link open} last looked at. */
  sequenceLow = 0;
  sequenceHigh = 0;
  /** Bytes of its body, which stand at the slab's `plain`. */
  length = 0;
  /** Whether it is the newest of its window. */
  newest = false;

  /** @param maxPayloadBytes 1200-1427 */
  constructor(protocolId: bigint, maxPayloadBytes: number = MAX_PAYLOAD_BYTES) {
    this.maxPayloadBytes = maxPayloadBytes;
    this.maxPacketBytes = Math.max(MAX_PACKET_BYTES, maxPayloadBytes + PAYLOAD_OVERHEAD_BYTES);
    this.#slab = getSlab();
    const ad = new Uint8Array(PACKET_AAD_BYTES);
    ad.set(VERSION);
    new DataView(ad.buffer).setBigUint64(VERSION.length, protocolId, true);
    this.#ad = this.#slab.storeCell(ad);
  }

  /**
   * Reads a datagram whose first byte is not zero: its type, or a REFUSED_ number. The order of the checks is the
   * specification's. An authentic packet of a wrong size has used up its sequence.
   */
  open(data: Uint8Array, key: number, window: ReplayWindow | null, reads: number): number {
    const size = data.length;
    if (size < MIN_ENCRYPTED_PACKET_BYTES || size > this.maxPacketBytes) return REFUSED_SIZE;
    const prefix = data[0] as number;
    const type = prefix & 15;
    if (((reads >> type) & 1) === 0) return REFUSED_TYPE;
    const sequenceBytes = prefix >> 4;
    if (sequenceBytes < 1 || sequenceBytes > 8) return REFUSED_TYPE;
    const head = 1 + sequenceBytes;
    if (size < head + TAG_BYTES) return REFUSED_SIZE;

    let low = 0;
    let high = 0;
    for (let index = sequenceBytes; index > 4; index--) high = (high << 8) | (data[index] as number);
    for (let index = Math.min(sequenceBytes, 4); index > 0; index--) low = (low << 8) | (data[index] as number);
    low >>>= 0;
    high >>>= 0;
    this.sequenceLow = low;
    this.sequenceHigh = high;

    const replayProtected = window !== null && type >= PACKET_KEEP_ALIVE;
    if (replayProtected && !window.accepts(low, high)) return REFUSED_REPLAY;

    const slab = this.#slab;
    const memory = slab.u8;
    memory.set(data, slab.wireIn);
    memory[this.#ad + PACKET_AAD_BYTES - 1] = prefix;
    slab.setNonce(low, high);
    if (!slab.open(slab.plain, slab.wireIn + head, size - head, this.#ad, PACKET_AAD_BYTES, key)) return REFUSED_FORGED;

    this.newest = replayProtected && window.record(low, high);
    const length = size - head - TAG_BYTES;
    this.length = length;
    return bodyFits(type, length, this.maxPayloadBytes) ? type : REFUSED_BODY;
  }

  /** Seals `length` bytes at the slab's `body` into its `wireOut`; returns the bytes of the datagram. */
  seal(type: number, low: number, high: number, key: number, length: number): number {
    const slab = this.#slab;
    const memory = slab.u8;
    const out = slab.wireOut;
    const bytes = sequenceLength(low, high);
    for (let index = 0; index < bytes; index++) {
      memory[out + 1 + index] = index < 4 ? low >>> (8 * index) : high >>> (8 * index - 32);
    }
    const prefix = (bytes << 4) | type;
    memory[out] = prefix;
    memory[this.#ad + PACKET_AAD_BYTES - 1] = prefix;
    slab.setNonce(low, high);
    slab.seal(out + 1 + bytes, slab.body, length, this.#ad, PACKET_AAD_BYTES, key);
    return 1 + bytes + length + TAG_BYTES;
  }

  sealPayload(payload: Uint8Array, low: number, high: number, key: number): number {
    this.#slab.u8.set(payload, this.#slab.body);
    return this.seal(PACKET_PAYLOAD, low, high, key, payload.length);
  }

  sealKeepAlive(index: number, maxClients: number, low: number, high: number, key: number): number {
    const word = this.#slab.body >> 2;
    const words = this.#slab.u32;
    words[word] = index;
    words[word + 1] = maxClients;
    return this.seal(PACKET_KEEP_ALIVE, low, high, key, KEEP_ALIVE_BODY_BYTES);
  }

  /** Takes the memory back; the codec is not used again. */
  release(): void {
    this.#slab.releaseCell(this.#ad);
  }
}

function bodyFits(type: number, length: number, maxPayloadBytes: number): boolean {
  switch (type) {
    case PACKET_PAYLOAD:
      return length >= 1 && length <= maxPayloadBytes;
    case PACKET_KEEP_ALIVE:
      return length === KEEP_ALIVE_BODY_BYTES;
    case PACKET_CHALLENGE:
    case PACKET_RESPONSE:
      return length === CHALLENGE_BODY_BYTES;
    default:
      return length === 0;
  }
}

/** The fewest bytes that hold the sequence, at least one. */
function sequenceLength(low: number, high: number): number {
  const half = high === 0 ? low : high;
  const bytes = half <= 0xff ? 1 : half <= 0xffff ? 2 : half <= 0xff_ffff ? 3 : 4;
  return high === 0 ? bytes : bytes + 4;
}
