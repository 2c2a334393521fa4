import { lookup } from "node:dns/promises";
import { EventEmitter } from "node:events";

import { addressFamily, canonicalAddress, endsInNumber } from "../net/address.ts";
import { UDPSocketError } from "../net/udp-error.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { GodotError } from "./godot-error.ts";
import { interfaceAddress } from "./interfaces.ts";
import { PacketRing } from "./packet-ring.ts";
import { decodeVariant, encodeVariant, type Variant, type VariantFormat, type VariantOptions } from "./variant.ts";

/** Events of a {@link PacketPeerUDP}; not in Godot. */
export interface PacketPeerUDPEvents {
  /** A packet. Whoever listens gets the packets, and the polling methods find none. */
  packet: [data: Buffer, address: string, port: number];
  /** Closed, by {@link PacketPeerUDP.close}, by the server's `stop` or by a failure of the socket. */
  close: [];
}

/** Options of a {@link PacketPeerUDP}. */
export interface PacketPeerUDPOptions {
  /** Which Godot `getVar` and `putVar` speak to. Default 4. */
  variantFormat?: VariantFormat;
}

/** What an accepted peer needs of its server. */
export interface PeerHost {
  readonly socket: UDPSocket | null;
  readonly variantFormat: VariantFormat;
  release(peer: PacketPeerUDP): void;
}

/** Bytes of packets that may wait to be read; Godot's default. */
export const DEFAULT_RING_BYTES = 65536;

/** Bytes that a Variant may have in `putVar`: Godot's default, and the bounds of its setter. */
const DEFAULT_ENCODE_BYTES = 8 * 1024 * 1024;
const MIN_ENCODE_BYTES = 1024;
const MAX_ENCODE_BYTES = 256 * 1024 * 1024;

/** The server's side of an accepted peer, which the public class does not show. */
export let acceptPeer: (host: PeerHost, address: string, port: number, ringBytes: number) => PacketPeerUDP;
export let deliverTo: (peer: PacketPeerUDP, data: Buffer, address: string, port: number) => void;
export let detachPeer: (peer: PacketPeerUDP) => void;
export let endpointOf: (peer: PacketPeerUDP) => { address: string; port: number };

/**
 * Godot's PacketPeerUDP: sends to one destination and reads packets, either by polling as in Godot, or by the event
 * `packet`, or by `for await (const packet of peer)`. The first to read a packet has it.
 *
 * Different from Godot, on purpose:
 * - Packets arrive by themselves; there is no need to poll, and {@link poll} only tells whether the socket is open.
 * - Names are not resolved, since that cannot be done inside a call: addresses only (and `localhost`), or
 *   {@link resolveDestAddress}.
 * - `connectToHost` filters senders here and not in the system, and empties the queue including its count.
 * - `close` forgets the destination: `putPacket` does not open another socket afterwards. So it is for a peer whose
 *   server has stopped.
 * - `setDestAddress` on a connected peer answers LOCKED instead of OK; nothing is printed for wrong use.
 * - `getVar` reads what JSON can say, byte arrays and 64-bit integers, never objects; null for all else.
 *
 * docs/from-godot.md compares it with Godot, member by member.
 */
export class PacketPeerUDP
  extends EventEmitter<PacketPeerUDPEvents>
  implements AsyncIterable<Buffer>, AsyncDisposable, Disposable
{
  /** Which Godot `getVar` and `putVar` speak to: 3 or 4. Not in Godot. */
  variantFormat: VariantFormat;
  /** Why `bind`, `connectToHost` or `putPacket` could not open a socket. Not in Godot. */
  lastSocketError: UDPSocketError | null = null;

  #host: PeerHost | null = null;
  #socket: UDPSocket | null = null;
  #closing: Promise<void> = Promise.resolve();
  #ring: PacketRing = new PacketRing(DEFAULT_RING_BYTES);
  #address = "";
  #port = 0;
  #connected = false;
  #broadcast = false;
  #encodeBufferMaxSize = DEFAULT_ENCODE_BYTES;
  #packetAddress = "";
  #packetPort = 0;
  #packetError: GodotError = GodotError.OK;
  #waiters: (() => void)[] = [];

  static {
    acceptPeer = (host, address, port, ringBytes) => {
      const peer = new PacketPeerUDP({ variantFormat: host.variantFormat });
      peer.#host = host;
      peer.#ring = new PacketRing(ringBytes);
      peer.#address = peer.#packetAddress = address;
      peer.#port = peer.#packetPort = port;
      peer.#connected = true;
      return peer;
    };
    deliverTo = (peer, data, address, port) => {
      peer.#deliver(data, address, port);
    };
    detachPeer = (peer) => {
      peer.#end();
    };
    endpointOf = (peer) => ({ address: peer.#address, port: peer.#port });
  }

  constructor(options: PacketPeerUDPOptions = {}) {
    super();
    this.variantFormat = options.variantFormat ?? 4;
    this.on("newListener", (event: string | symbol) => {
      // Packets that came before anybody listened, once the listener is in place.
      if (event === "packet") {
        queueMicrotask(() => {
          this.#drain();
        });
      }
    });
  }

  /**
   * Receives on a port of this machine; 0 takes any free one.
   * @param bindAddress `*` for every address of both families, or one address
   * @param recvBufSize bytes of packets that may wait; the newest are dropped when it is full
   * @returns OK; ALREADY_IN_USE when this peer is open; INVALID_PARAMETER; UNAVAILABLE when the system refuses (see
   *   {@link lastSocketError})
   */
  bind(port: number, bindAddress = "*", recvBufSize: number = DEFAULT_RING_BYTES): GodotError {
    if (this.isBound()) return GodotError.ALREADY_IN_USE;
    if (!Number.isInteger(port) || port < 0 || port > 65535 || !(recvBufSize > 0)) return GodotError.INVALID_PARAMETER;
    if (bindAddress !== "*" && canonicalAddress(bindAddress) === undefined) return GodotError.INVALID_PARAMETER;
    const error = this.#open(port, bindAddress);
    if (error === GodotError.OK) this.#ring = new PacketRing(recvBufSize);
    return error;
  }

  /**
   * Talks with one peer: its packets alone are received from now on, those that wait are dropped.
   * @returns OK; LOCKED on a peer that a server accepted; INVALID_PARAMETER for what is no address or no port of 1-65535;
   *   CANT_OPEN; FAILED when the socket is bound to the other family of addresses
   */
  connectToHost(host: string, port: number): GodotError {
    if (this.#host !== null) return GodotError.LOCKED;
    const address = literalAddress(host);
    if (address === undefined || !isRemotePort(port)) return GodotError.INVALID_PARAMETER;
    if (this.#socket === null && this.#open(0, anyAddressLike(address)) !== GodotError.OK) return GodotError.CANT_OPEN;
    if (this.#socket?.canReach(address) !== true) {
      this.close();
      return GodotError.FAILED;
    }
    this.#address = address;
    this.#port = port;
    this.#connected = true;
    this.#ring.clear();
    return GodotError.OK;
  }

  /** Where `putPacket` sends. @returns OK; LOCKED when connected or accepted; CANT_RESOLVE for what is no address */
  setDestAddress(host: string, port: number): GodotError {
    if (this.#connected) return GodotError.LOCKED;
    const address = literalAddress(host);
    if (address === undefined) return GodotError.CANT_RESOLVE;
    if (!isRemotePort(port)) return GodotError.INVALID_PARAMETER;
    this.#address = address;
    this.#port = port;
    return GodotError.OK;
  }

  /** {@link setDestAddress} for names: Godot's resolves in the call, which Node cannot. */
  async resolveDestAddress(host: string, port: number): Promise<GodotError> {
    if (endsInNumber(host) && addressFamily(host) === 0) return GodotError.CANT_RESOLVE;
    try {
      return this.setDestAddress((await lookup(host)).address, port);
    } catch {
      return GodotError.CANT_RESOLVE;
    }
  }

  /**
   * Sends one packet, inside the call. An empty one is not sent, as in Godot.
   * @returns OK; UNCONFIGURED without a destination; BUSY while the system's buffer and ours are full; FAILED
   */
  putPacket(data: Uint8Array): GodotError {
    if (this.#port === 0) return GodotError.UNCONFIGURED;
    if (data.length === 0) return GodotError.OK;
    if (this.#host === null && this.#socket === null) {
      const error = this.#open(0, anyAddressLike(this.#address));
      if (error !== GodotError.OK) return error;
    }
    const socket = this.#host === null ? this.#socket : this.#host.socket;
    if (socket === null) return GodotError.FAILED;
    if (socket.send(data, this.#port, this.#address)) return GodotError.OK;
    return socket.queuedBytes > 0 ? GodotError.BUSY : GodotError.FAILED;
  }

  /**
   * Sends a Variant. A whole number is an `int`, as in GDScript's source; `new GodotFloat(5)` is a `float`.
   * @returns as {@link putPacket}; INVALID_PARAMETER for what is no Variant; OUT_OF_MEMORY beyond {@link encodeBufferMaxSize}
   */
  putVar(value: Variant): GodotError {
    const data = encodeVariant(value, this.variantFormat);
    if (data === undefined) return GodotError.INVALID_PARAMETER;
    return data.length > this.#encodeBufferMaxSize ? GodotError.OUT_OF_MEMORY : this.putPacket(data);
  }

  /** Bytes that a Variant may have in {@link putVar}. Default 8 MiB. */
  get encodeBufferMaxSize(): number {
    return this.#encodeBufferMaxSize;
  }

  set encodeBufferMaxSize(bytes: number) {
    this.setEncodeBufferMaxSize(bytes);
  }

  /** The getter of {@link encodeBufferMaxSize}. */
  getEncodeBufferMaxSize(): number {
    return this.#encodeBufferMaxSize;
  }

  /** The setter of {@link encodeBufferMaxSize}: 1 KiB to 256 MiB, rounded up to a power of two. Anything else is ignored. */
  setEncodeBufferMaxSize(bytes: number): void {
    if (bytes >= MIN_ENCODE_BYTES && bytes <= MAX_ENCODE_BYTES)
      this.#encodeBufferMaxSize = 2 ** Math.ceil(Math.log2(bytes));
  }

  /** The oldest packet that waits. Empty on an error, see {@link getPacketError} (and for an empty datagram). */
  getPacket(): Buffer {
    const packet = this.#ring.shift();
    if (packet === null) {
      this.#packetError = this.isBound() ? GodotError.UNAVAILABLE : GodotError.FAILED;
      return Buffer.alloc(0);
    }
    this.#packetError = GodotError.OK;
    this.#packetAddress = this.#ring.address;
    this.#packetPort = this.#ring.port;
    return packet;
  }

  /**
   * The oldest packet as a Variant. Null on an error, see {@link getPacketError} (INVALID_DATA when it is none).
   * @param options `{ keepFloats: true }` reads floats as `GodotFloat`, so that `putVar` sends them back as floats
   */
  getVar(options: VariantOptions = {}): Variant {
    const packet = this.getPacket();
    if (this.#packetError !== GodotError.OK) return null;
    const value = decodeVariant(packet, this.variantFormat, options);
    if (value !== undefined) return value;
    this.#packetError = GodotError.INVALID_DATA;
    return null;
  }

  /** Of the last `getPacket` or `getVar`: OK; UNAVAILABLE when none waited; FAILED when closed; INVALID_DATA. */
  getPacketError(): GodotError {
    return this.#packetError;
  }

  /** How many packets wait; -1 when closed. */
  getAvailablePacketCount(): number {
    return this.isBound() ? this.#ring.count : -1;
  }

  /** Who sent the packet read last. */
  getPacketIp(): string {
    return this.#packetAddress;
  }

  /** From which port the packet read last was sent. */
  getPacketPort(): number {
    return this.#packetPort;
  }

  /** Resolves when a packet waits to be read: OK, or FAILED when the peer is or gets closed. */
  async wait(): Promise<GodotError> {
    while (this.#ring.count === 0) {
      if (!this.isBound()) return GodotError.FAILED;
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
    return GodotError.OK;
  }

  /** Nothing to do in Node, where packets arrive by themselves. @returns OK, or FAILED when closed */
  poll(): GodotError {
    return this.isBound() ? GodotError.OK : GodotError.FAILED;
  }

  /** Packets until the peer closes, or the loop is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    while ((await this.wait()) === GodotError.OK) yield this.getPacket();
  }

  /** Closes. A peer that a server accepted leaves it: its next packet makes a new pending peer there. */
  close(): void {
    this.#host?.release(this);
    this.#end();
  }

  /** May packets go to a broadcast address. @returns OK; LOCKED on an accepted peer; FAILED */
  setBroadcastEnabled(enabled: boolean): GodotError {
    if (this.#host !== null) return GodotError.LOCKED;
    this.#broadcast = enabled;
    return this.#configure((socket) => {
      socket.setBroadcast(enabled);
    });
  }

  /**
   * Receives a multicast group's packets too.
   * @param interfaceName as in `os.networkInterfaces()`
   * @returns OK; LOCKED on an accepted peer; INVALID_PARAMETER for what is no address or interface; FAILED
   */
  joinMulticastGroup(multicastAddress: string, interfaceName: string): GodotError {
    if (this.#host !== null) return GodotError.LOCKED;
    const group = canonicalAddress(multicastAddress);
    const on = group === undefined ? null : interfaceAddress(interfaceName, group.includes(":"));
    if (group === undefined || on === null) return GodotError.INVALID_PARAMETER;
    if (this.#socket === null) {
      const error = this.#open(0, anyAddressLike(group));
      if (error !== GodotError.OK) return error;
    }
    return this.#configure((socket) => {
      socket.addMembership(group, on);
    });
  }

  /** Leaves a multicast group. @returns OK; LOCKED on an accepted peer; UNCONFIGURED when closed; INVALID_PARAMETER; FAILED */
  leaveMulticastGroup(multicastAddress: string, interfaceName: string): GodotError {
    if (this.#host !== null) return GodotError.LOCKED;
    if (this.#socket === null) return GodotError.UNCONFIGURED;
    const group = canonicalAddress(multicastAddress);
    const on = group === undefined ? null : interfaceAddress(interfaceName, group.includes(":"));
    if (group === undefined || on === null) return GodotError.INVALID_PARAMETER;
    return this.#configure((socket) => {
      socket.dropMembership(group, on);
    });
  }

  /** Whether a socket is open, its own or its server's. */
  isBound(): boolean {
    return this.#host === null ? this.#socket !== null : this.#host.socket !== null;
  }

  /** Whether it talks with one peer alone. */
  isSocketConnected(): boolean {
    return this.#connected;
  }

  /** The port on this machine; 0 when closed. */
  getLocalPort(): number {
    return (this.#host === null ? this.#socket : this.#host.socket)?.localPort ?? 0;
  }

  /** Closes, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes; resolves when the port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#closing;
  }

  #open(port: number, address: string): GodotError {
    try {
      const socket = UDPSocket.open({ port, address });
      this.#socket = socket;
      socket.onDatagram = (data, from, fromPort) => {
        if (this.#connected && (fromPort !== this.#port || from !== this.#address)) return;
        this.#deliver(data, from, fromPort);
      };
      socket.onError = (error) => {
        this.lastSocketError = error;
        this.close();
      };
      if (this.#broadcast) socket.setBroadcast(true);
      return GodotError.OK;
    } catch (error) {
      if (!(error instanceof UDPSocketError)) throw error;
      this.lastSocketError = error;
      return GodotError.UNAVAILABLE;
    }
  }

  #configure(apply: (socket: UDPSocket) => void): GodotError {
    if (this.#socket === null) return GodotError.OK;
    try {
      apply(this.#socket);
      return GodotError.OK;
    } catch (error) {
      if (!(error instanceof UDPSocketError)) throw error;
      this.lastSocketError = error;
      return GodotError.FAILED;
    }
  }

  #deliver(data: Buffer, address: string, port: number): void {
    if (this.#ring.count === 0 && this.listenerCount("packet") > 0) {
      this.#packetAddress = address;
      this.#packetPort = port;
      this.emit("packet", data, address, port);
      return;
    }
    if (!this.#ring.push(data, address, port)) return;
    if (this.listenerCount("packet") > 0) this.#drain();
    else this.#wake();
  }

  #drain(): void {
    while (this.#ring.count > 0 && this.listenerCount("packet") > 0) {
      const packet = this.getPacket();
      this.emit("packet", packet, this.#packetAddress, this.#packetPort);
    }
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  #end(): void {
    const wasOpen = this.#host !== null || this.#socket !== null;
    this.#host = null;
    if (this.#socket !== null) this.#closing = this.#socket.close();
    this.#socket = null;
    this.#connected = false;
    this.#port = 0;
    this.#address = "";
    this.#ring.clear();
    this.#wake();
    if (wasOpen) this.emit("close");
  }
}

function isRemotePort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

/** RFC 6761 section 6.3: `localhost` is loopback without asking anybody. */
function literalAddress(host: string): string | undefined {
  return host === "localhost" ? "127.0.0.1" : canonicalAddress(host);
}

function anyAddressLike(address: string): string {
  return address.includes(":") ? "::" : "0.0.0.0";
}
