import { type HeldBytes, unboundedBytes } from "../../net/held-bytes.ts";
import { type FragmentHeader, MAX_PACKET_HEADER_BYTES, writePacketHeader } from "../wire/reliable-header.ts";
import { sequenceDistance, sequenceNewer } from "../wire/sequence.ts";

interface Reassembly {
  readonly sequence: number;
  readonly numFragments: number;
  readonly received: Uint8Array;
  /** Room for the header, then the fragments; the packet ends at `end`. */
  readonly bytes: Uint8Array;
  missing: number;
  headerBytes: number;
  end: number;
}

/** How many sequences below the newest a packet may still be put together. */
export const REASSEMBLY_WINDOW = 64;

/** Puts fragmented packets together again, within a window of sequences and a cap of bytes. */
export class FragmentReassembly {
  readonly #slots: (Reassembly | undefined)[] = Array.from({ length: REASSEMBLY_WINDOW });
  readonly #fragmentBytes: number;
  readonly #maxBytes: number;
  readonly #shared: HeldBytes;
  #next = 0;
  #bytes = 0;

  /** @param shared of the peers' common memory */
  constructor(fragmentBytes: number, maxBytes: number, shared: HeldBytes = unboundedBytes()) {
    this.#fragmentBytes = fragmentBytes;
    this.#maxBytes = maxBytes;
    this.#shared = shared;
  }

  /** Bytes held for packets that are not whole yet. */
  get bytes(): number {
    return this.#bytes;
  }

  has(sequence: number): boolean {
    return this.#slots[sequence % REASSEMBLY_WINDOW]?.sequence === sequence;
  }

  /** Makes room for a packet. @returns false if it is too old, or if the cap of bytes leaves no room for it. */
  begin(sequence: number, numFragments: number): boolean {
    if (sequenceNewer((this.#next - REASSEMBLY_WINDOW) & 0xffff, sequence)) return false;
    this.advance(sequence);
    this.#drop(sequence % REASSEMBLY_WINDOW);
    const bytes = MAX_PACKET_HEADER_BYTES + numFragments * this.#fragmentBytes;
    if (this.#bytes + bytes > this.#maxBytes || !this.#shared.take(bytes)) return false;
    this.#bytes += bytes;
    this.#slots[sequence % REASSEMBLY_WINDOW] = {
      sequence,
      numFragments,
      received: new Uint8Array(numFragments),
      bytes: new Uint8Array(bytes),
      missing: numFragments,
      headerBytes: 0,
      end: 0,
    };
    return true;
  }

  /** Packets of up to `sequence` were seen: what lies below the window is given up. */
  advance(sequence: number): void {
    const next = (sequence + 1) & 0xffff;
    if (!sequenceNewer(next, this.#next)) return;
    const distance = this.#bytes === 0 ? 0 : Math.min(sequenceDistance(next, this.#next), REASSEMBLY_WINDOW);
    for (let n = 0; n < distance; n++) this.#drop((sequence - n) & (REASSEMBLY_WINDOW - 1));
    this.#next = next;
  }

  /** Adds a fragment of a packet that was begun. @returns the whole packet once it is complete. */
  add(header: FragmentHeader, datagram: Uint8Array): Uint8Array | undefined {
    const slot = this.#slots[header.sequence % REASSEMBLY_WINDOW];
    if (slot?.sequence !== header.sequence || header.numFragments !== slot.numFragments) return undefined;
    if (slot.received[header.fragmentId]) return undefined;
    slot.received[header.fragmentId] = 1;
    slot.missing--;
    const offset = MAX_PACKET_HEADER_BYTES + header.fragmentId * this.#fragmentBytes;
    slot.bytes.set(datagram.subarray(header.dataOffset, header.dataOffset + header.dataBytes), offset);
    if (header.fragmentId === 0) {
      slot.headerBytes = header.dataOffset - 5;
      const start = MAX_PACKET_HEADER_BYTES - slot.headerBytes;
      writePacketHeader(slot.bytes, start, header.sequence, header.ack, header.ackBits);
    }
    if (header.fragmentId === slot.numFragments - 1) slot.end = offset + header.dataBytes;
    if (slot.missing > 0) return undefined;
    return slot.bytes.subarray(MAX_PACKET_HEADER_BYTES - slot.headerBytes, slot.end);
  }

  /** Forgets a packet: it was delivered. */
  remove(sequence: number): void {
    if (this.has(sequence)) this.#drop(sequence % REASSEMBLY_WINDOW);
  }

  clear(): void {
    for (let index = 0; index < REASSEMBLY_WINDOW; index++) this.#drop(index);
  }

  #drop(index: number): void {
    const slot = this.#slots[index];
    if (!slot) return;
    this.#bytes -= slot.bytes.length;
    this.#shared.give(slot.bytes.length);
    this.#slots[index] = undefined;
  }
}
