import type { HeldBytes } from "../net/held-bytes.ts";
import { FragmentReassembly } from "./receive/fragments.ts";
import { ReceivedPackets } from "./receive/received-packets.ts";
import { SENT_WINDOW, SentPackets } from "./recovery/sent-packets.ts";
import {
  FRAGMENT_HEADER_BYTES,
  type FragmentHeader,
  MAX_PACKET_HEADER_BYTES,
  type PacketHeader,
  readFragmentHeader,
  readPacketHeader,
  writeFragmentHeader,
  writePacketHeader,
} from "./wire/reliable-header.ts";
import { sequenceDistance } from "./wire/sequence.ts";

export interface ReliableOptions {
  /** The longest payload of a packet, before fragmenting. Default 16 KiB. */
  maxPacketBytes?: number;
  /** Payloads longer than this are sent as fragments. Default 1024. */
  fragmentAbove?: number;
  /** Payload bytes per fragment; both peers need the same. Default 1024. */
  fragmentBytes?: number;
  /** 1-256, default 16. */
  maxFragments?: number;
  /** Bytes held for fragmented packets that are not whole yet. Default 256 KiB. The reference has no such cap. */
  maxReassemblyBytes?: number;
  /** Counts them too. Default: counted nowhere. */
  held?: HeldBytes;
}

export interface ReliableHandler {
  /**
   * A packet arrived, for the first time: `bytes[start..end)`, valid only during the call.
   *
   * @returns false to refuse it: it is then not acknowledged and may come again.
   */
  packet(sequence: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** The peer received our packet. Told at most once for each, newest first, after {@link packet}. */
  acked(sequence: number): void;
}

/**
 * reliable 1.0: tells which packets arrived, and cuts long ones into fragments. Resends nothing. Both peers must begin
 * fresh together: an endpoint that has seen nothing takes half of all sequences for stale.
 */
export class ReliableEndpoint {
  readonly received: ReceivedPackets = new ReceivedPackets();
  readonly #handler: ReliableHandler;
  readonly #maxPacketBytes: number;
  readonly #fragmentAbove: number;
  readonly #fragmentBytes: number;
  readonly #maxFragments: number;
  readonly #reassembly: FragmentReassembly;
  readonly #sent: SentPackets;
  readonly #header: PacketHeader = { sequence: 0, ack: 0, ackBits: 0 };
  readonly #fragment: FragmentHeader = {
    sequence: 0,
    ack: 0,
    ackBits: 0,
    fragmentId: 0,
    numFragments: 0,
    dataOffset: 0,
    dataBytes: 0,
  };
  #nextSequence = 0;
  /** What the newest of the peer's headers said. */
  #toldAck = 0xffff;
  #toldBits = 0;

  /** @param sent where to remember packets, if others remember things of them there too */
  constructor(options: ReliableOptions, handler: ReliableHandler, sent: SentPackets = new SentPackets()) {
    this.#sent = sent;
    this.#handler = handler;
    this.#maxPacketBytes = options.maxPacketBytes ?? 16 * 1024;
    this.#fragmentAbove = options.fragmentAbove ?? 1024;
    this.#fragmentBytes = options.fragmentBytes ?? 1024;
    this.#maxFragments = options.maxFragments ?? 16;
    this.#reassembly = new FragmentReassembly(
      this.#fragmentBytes,
      options.maxReassemblyBytes ?? 256 * 1024,
      options.held,
    );
  }

  /** The sequence that the next packet will have. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** Bytes held for fragmented packets that are not whole yet. */
  get reassemblyBytes(): number {
    return this.#reassembly.bytes;
  }

  /** Lets go of fragmented packets that are not whole yet. */
  clear(): void {
    this.#reassembly.clear();
  }

  /** Of the header of the packet that is being delivered: the peer's `ack`. */
  get peerAck(): number {
    return this.#header.ack;
  }

  /**
   * Writes the header of the next packet without sending it: for callers who lay the payload behind it, in place, and
   * then {@link commit}.
   *
   * @returns the header's length.
   */
  writeHeader(out: Uint8Array): number {
    return writePacketHeader(out, 0, this.#nextSequence, this.received.ack, this.received.ackBits);
  }

  /** The packet begun by {@link writeHeader} is being sent. @returns its sequence. */
  commit(): number {
    const sequence = this.#nextSequence;
    this.#sent.setAwaited(sequence % SENT_WINDOW, sequence);
    this.#nextSequence = (sequence + 1) & 0xffff;
    return sequence;
  }

  /**
   * Sends `payload` (1 byte to `maxPacketBytes`) in one datagram or in fragments.
   *
   * @param emit is given each datagram; it is the receiver's to keep.
   * @returns the packet's sequence, or -1 if the payload is empty or too long.
   */
  sendPacket(payload: Uint8Array, emit: (datagram: Uint8Array) => void): number {
    if (payload.length === 0 || payload.length > this.#maxPacketBytes) return -1;
    const header = new Uint8Array(MAX_PACKET_HEADER_BYTES);
    const headerBytes = this.writeHeader(header);
    if (payload.length <= this.#fragmentAbove) {
      emit(join(header.subarray(0, headerBytes), payload));
      return this.commit();
    }
    const numFragments = Math.ceil(payload.length / this.#fragmentBytes);
    if (numFragments > this.#maxFragments) return -1;
    const sequence = this.commit();
    for (let id = 0; id < numFragments; id++) {
      const data = payload.subarray(id * this.#fragmentBytes, (id + 1) * this.#fragmentBytes);
      const first = id === 0 ? headerBytes : 0;
      const datagram = new Uint8Array(FRAGMENT_HEADER_BYTES + first + data.length);
      writeFragmentHeader(datagram, 0, sequence, id, numFragments);
      datagram.set(header.subarray(0, first), FRAGMENT_HEADER_BYTES);
      datagram.set(data, FRAGMENT_HEADER_BYTES + first);
      emit(datagram);
    }
    return sequence;
  }

  /** Takes a datagram. @returns whether it was of use: a new packet that was not refused, or a fragment that was stored. */
  receivePacket(datagram: Uint8Array): boolean {
    if (datagram.length > this.#maxPacketBytes + MAX_PACKET_HEADER_BYTES + FRAGMENT_HEADER_BYTES) return false;
    return ((datagram[0] ?? 0) & 1) === 0 ? this.#receiveRegular(datagram) : this.#receiveFragment(datagram);
  }

  /** Applies an acknowledgement that came by other means than a header. Ignored for what was not sent lately. */
  ack(sequence: number): void {
    const slot = sequence % SENT_WINDOW;
    if (this.#sent.awaited(slot) !== sequence) return;
    this.#sent.setAwaited(slot, -1);
    this.#handler.acked(sequence);
  }

  #receiveRegular(datagram: Uint8Array): boolean {
    const header = this.#header;
    const headerBytes = readPacketHeader(datagram, 0, datagram.length, header);
    if (headerBytes < 0 || datagram.length - headerBytes > this.#maxPacketBytes) return false;
    const { sequence, ack, ackBits } = header;
    if (this.received.isStale(sequence) || this.received.has(sequence)) return false;
    if (!this.#handler.packet(sequence, datagram, headerBytes, datagram.length)) return false;
    this.received.insert(sequence);
    this.#reassembly.advance(sequence);
    this.#readAcks(ack, ackBits);
    return true;
  }

  /** Newest first. What the newest header before said is not looked at again: of 32 bits a packet tells one or two. */
  #readAcks(ack: number, ackBits: number): void {
    const ahead = sequenceDistance(ack, this.#toldAck);
    let bits = ackBits;
    if (ahead < 32) bits &= ~(this.#toldBits << ahead);
    if (ahead < 0x8000) {
      this.#toldAck = ack;
      this.#toldBits = ackBits;
    }
    while (bits !== 0) {
      const lowest = bits & -bits;
      bits ^= lowest;
      this.ack((ack - 31 + Math.clz32(lowest)) & 0xffff);
    }
  }

  #receiveFragment(datagram: Uint8Array): boolean {
    const header = this.#fragment;
    if (!readFragmentHeader(datagram, this.#maxFragments, this.#fragmentBytes, header)) return false;
    const { sequence } = header;
    if (this.received.has(sequence)) return false;
    if (!this.#reassembly.has(sequence)) {
      if (!this.#reassembly.begin(sequence, header.numFragments)) return false;
      this.received.advance(sequence);
    }
    const packet = this.#reassembly.add(header, datagram);
    if (!packet) return true;
    const taken = packet.length <= this.#maxPacketBytes + MAX_PACKET_HEADER_BYTES && this.#receiveRegular(packet);
    this.#reassembly.remove(sequence);
    return taken;
  }
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
