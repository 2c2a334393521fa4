/** What Godot's ring spends on each packet beside its bytes: a 16-byte address, port and length. */
const PACKET_OVERHEAD = 24;
/** Slots that may be empty at the front before the rest moves up. */
const SLACK = 64;

/**
 * Packets that wait to be read, the newest refused when it does not fit: Godot's RingBuffer. It is accounted as Godot's
 * is, so that as many packets fit, but it keeps the datagrams' own buffers and copies nothing.
 */
export class PacketRing {
  /** Of the packet that {@link shift} returned last. */
  address = "";
  /** Of the packet that {@link shift} returned last. */
  port = 0;

  readonly #capacity: number;
  #used = 0;
  #head = 0;
  readonly #packets: (Buffer | undefined)[] = [];
  readonly #addresses: string[] = [];
  readonly #ports: number[] = [];

  /** @param bytes rounded up to a power of two, as in Godot; one byte of it stays unused */
  constructor(bytes: number) {
    this.#capacity = 2 ** Math.ceil(Math.log2(Math.max(bytes, 16))) - 1;
  }

  get count(): number {
    return this.#packets.length - this.#head;
  }

  push(packet: Buffer, address: string, port: number): boolean {
    const size = packet.length + PACKET_OVERHEAD;
    if (this.#used + size > this.#capacity) return false;
    this.#used += size;
    this.#packets.push(packet);
    this.#addresses.push(address);
    this.#ports.push(port);
    return true;
  }

  shift(): Buffer | null {
    const packet = this.#packets[this.#head];
    if (packet === undefined) return null;
    this.address = this.#addresses[this.#head] ?? "";
    this.port = this.#ports[this.#head] ?? 0;
    this.#packets[this.#head++] = undefined;
    this.#used -= packet.length + PACKET_OVERHEAD;
    if (this.#head === this.#packets.length || (this.#head >= SLACK && this.#head * 2 >= this.#packets.length)) {
      this.#moveUp();
    }
    return packet;
  }

  clear(): void {
    this.#head = this.#packets.length;
    this.#used = 0;
    this.#moveUp();
  }

  #moveUp(): void {
    for (const list of [this.#packets, this.#addresses, this.#ports]) {
      list.copyWithin(0, this.#head);
      list.length -= this.#head;
    }
    this.#head = 0;
  }
}
