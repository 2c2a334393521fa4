import dgram from "node:dgram";
import { addressFamily } from "./address.ts";
import { normalizeAddress } from "./endpoint.ts";
import { isExhausted } from "./exhaustion.ts";
import type { NAT64Prefix } from "./nat64.ts";
import { readAgain } from "./read-again.ts";
import { describeSocketError, errorCode, UDPSocketError } from "./udp-error.ts";

/** Receives a datagram. `address` is normalised (see {@link normalizeAddress}); `data` is the receiver's to keep. */
export type DatagramHandler = (data: Buffer, address: string, port: number) => void;

/** Sees every datagram before {@link UDPSocket.onDatagram}; `true` takes it, so that nobody else sees it. */
export type DatagramTap = (data: Buffer, address: string, port: number) => boolean;

/** Options of `UDPSocket.open`. */
export interface UDPSocketOptions {
  /** 0-65535; 0, the default, lets the system choose. */
  port?: number;
  /**
   * `*`, the default: every IPv4 and IPv6 address on one dual-stack socket, or every IPv4 address where IPv6 is off.
   * Else an IPv4 or IPv6 address; an IPv6 address then carries IPv6 alone, as in Godot.
   */
  address?: string;
  /** SO_REUSEADDR: several sockets share one port, as multicast receivers do. Default `false`. */
  reuseAddress?: boolean;
  /** SO_RCVBUF in bytes; the system may give less. Default: the system's. */
  receiveBufferSize?: number;
  /** SO_SNDBUF in bytes; the system may give less. Default: the system's. */
  sendBufferSize?: number;
  /**
   * The prefix of a network without IPv4: public IPv4 addresses are reached, and named, through its NAT64. For a socket on `*` only.
   * Default: none.
   */
  nat64?: NAT64Prefix | undefined;
  /** Most bytes that may wait in this process while the system's send buffer is full. Default 1 MiB. */
  maxQueuedBytes?: number;
}

/** Counted since the socket was opened; `datagramsOut` counts what was handed to the system. */
export interface UDPSocketCounters {
  /** Datagrams that came in. */
  datagramsIn: number;
  /** Datagrams that went out. */
  datagramsOut: number;
  /** Bytes that came in, without headers of UDP and IP. */
  bytesIn: number;
  /** Bytes that went out, without headers of UDP and IP. */
  bytesOut: number;
}

/** The largest payload of a UDP datagram over IPv4: 65535 less the IP and UDP headers. */
export const MAX_DATAGRAM_BYTES = 65507;

/** `receiveBufferSize` of a server: the players' packets of a whole tick must fit, and the system's default holds fewer than a hundred. */
export const SERVER_RECEIVE_BUFFER_BYTES: number = 4 << 20;

const DEFAULT_MAX_QUEUED_BYTES = 1 << 20;
/** Datagrams up to this size find a ready-made view of the outgoing slab; larger ones are rare and get a fresh one. */
const CACHED_VIEWS = 2048;
/** Addresses whose other spelling is remembered. Senders can be forged, so the memory is bounded and simply emptied. */
const MAX_REMEMBERED_ADDRESSES = 4096;
/** What `bind` says where IPv6 is compiled out, switched off or forbidden. */
const NO_IPV6 = new Set(["EAFNOSUPPORT", "EPROTONOSUPPORT", "EADDRNOTAVAIL", "EINVAL", "ENOTSUP"]);
/**
 * ICMP's answer to a datagram that we sent, which Windows (and Linux on some sockets) reports on the next receive. It
 * says something about one peer, nothing about the socket. Nor does a network that is down for the moment, as in sleep.
 */
const PASSING = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETRESET",
  "ENETDOWN",
  "EMSGSIZE",
]);
/** Until Windows is asked to read again, ms: an error that stays must not fill the event loop. */
const READ_AGAIN_MS = 50;

const NOTHING = Buffer.alloc(0);

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

/** dgram asks a resolver even for literal addresses. One that answers at once keeps `bind` and `send` inside the call. */
function literalLookup(address: string, family: unknown, callback: LookupCallback): void {
  callback(null, address, family === 6 ? 6 : 4);
}

/**
 * The one UDP socket that the game, STUN and TURN share, so that what STUN learns about the NAT holds for the game.
 *
 * What it adds to `node:dgram`: binding inside the call; datagrams that leave inside the tick; one spelling for each
 * peer on dual-stack sockets; taps; a bounded send queue; no death by an ICMP message; and a caller's buffer that may
 * be reused as soon as {@link send} returns.
 */
export class UDPSocket implements AsyncDisposable {
  /** The bound port, 1-65535. */
  readonly localPort: number;
  /** The bound address: `::` or `0.0.0.0` for all. */
  readonly localAddress: string;
  /** 6 also on a dual-stack socket. */
  readonly family: 4 | 6;
  /** Whether IPv4 and IPv6 peers both reach it. */
  readonly dualStack: boolean;
  /** What came in and went out since it was opened. */
  readonly counters: UDPSocketCounters = { datagramsIn: 0, datagramsOut: 0, bytesIn: 0, bytesOut: 0 };

  /** What no tap takes goes here. */
  onDatagram: DatagramHandler | null = null;
  /** An error that ends the socket's usefulness. ICMP's messages about single peers, and a lack of buffers or a network for the moment, do not. */
  onError: ((error: UDPSocketError) => void) | null = null;

  readonly #socket: dgram.Socket;
  readonly #maxQueuedBytes: number;
  readonly #nat64: NAT64Prefix | undefined;
  /** Not every runtime does (Deno): where nobody says when a datagram has left, each has memory of its own. */
  readonly #tellsQueue: boolean;
  /** Replaced as a whole when it changes, so that a tap may remove itself while it is being called. */
  #taps: readonly DatagramTap[] = [];
  #closeListeners: readonly (() => void)[] = [];
  #closed: Promise<void> | null = null;

  /** Peer's address as the system spells it -> as we do. One string per peer, whose hash the engine then knows. */
  readonly #incomingNames: Map<string, string> = new Map();
  /** Address as the caller spells it -> as the system wants it; `""` for what is no address of this family. */
  readonly #outgoingNames: Map<string, string> = new Map();

  #slab: Buffer = NOTHING;
  #views: (Buffer | undefined)[] = [];
  #queueing = false;

  private constructor(socket: dgram.Socket, dualStack: boolean, { maxQueuedBytes, nat64 }: UDPSocketOptions) {
    const bound = boundAddress(socket);
    this.#socket = socket;
    this.#tellsQueue = typeof (socket as Partial<dgram.Socket>).getSendQueueCount === "function";
    this.localPort = bound.port;
    this.localAddress = normalizeAddress(bound.address);
    this.family = bound.family === "IPv6" ? 6 : 4;
    this.dualStack = dualStack;
    this.#maxQueuedBytes = maxQueuedBytes ?? DEFAULT_MAX_QUEUED_BYTES;
    this.#nat64 = dualStack ? nat64 : undefined;
    // Two listeners, so that sockets without mapped addresses do not pay for their translation.
    socket.on(
      "message",
      this.family === 4
        ? (data, peer) => {
            this.#receive(data, peer.address, peer.port);
          }
        : (data, peer) => {
            this.#receive(data, this.#incomingNames.get(peer.address) ?? this.#nameOf(peer.address), peer.port);
          },
    );
    socket.on("error", (error) => {
      this.#fail(error);
    });
  }

  /**
   * Opens and binds a socket within the call.
   * @throws {UDPSocketError} with the system's code: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `EINVAL`…
   */
  static open(options: UDPSocketOptions = {}): UDPSocket {
    const { port = 0, address = "*" } = options;
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new UDPSocketError("EINVAL", `Cannot open UDP port ${port}: a port is a whole number from 0 to 65535.`);
    }
    if (address === "*") {
      try {
        return UDPSocket.#bind("udp6", "::", port, true, options);
      } catch (error) {
        if (!NO_IPV6.has(errorCode(error))) throw error;
        return UDPSocket.#bind("udp4", "0.0.0.0", port, false, options);
      }
    }
    const family = addressFamily(address);
    if (family === 0) {
      throw new UDPSocketError(
        "EINVAL",
        `Cannot open UDP port ${port} on "${address}": not an IPv4 or IPv6 address; * means all of them.`,
      );
    }
    return UDPSocket.#bind(family === 6 ? "udp6" : "udp4", address, port, false, options);
  }

  /** {@link UDPSocket.open}, or `null` where the system gives none: for what can do without. */
  static tryOpen(options: UDPSocketOptions = {}): UDPSocket | null {
    try {
      return UDPSocket.open(options);
    } catch {
      return null;
    }
  }

  static #bind(
    type: "udp4" | "udp6",
    address: string,
    port: number,
    dualStack: boolean,
    options: UDPSocketOptions,
  ): UDPSocket {
    const socket = dgram.createSocket({
      type,
      ipv6Only: type === "udp6" && !dualStack,
      reuseAddr: options.reuseAddress ?? false,
      lookup: literalLookup,
    });
    let failure: unknown;
    const onError = (error: Error): void => {
      failure = error;
    };
    socket.once("error", onError);
    try {
      // `exclusive`: in a cluster worker the primary would bind for us, later.
      socket.bind({ port, address, exclusive: true });
    } catch (error) {
      failure = error;
    }
    socket.off("error", onError);
    if (failure !== undefined) {
      socket.close();
      throw describeSocketError("open UDP port", `${port} on ${address}`, failure);
    }
    trySize(() => socket.setRecvBufferSize(options.receiveBufferSize ?? 0), options.receiveBufferSize);
    trySize(() => socket.setSendBufferSize(options.sendBufferSize ?? 0), options.sendBufferSize);
    return new UDPSocket(socket, dualStack, options);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed !== null;
  }

  /**
   * Sends one datagram inside this call, or queues it when the system's buffer is full. `data` may be reused at once.
   * Never throws. UDP promises nothing, so `true` means only that the system has it; an unreachable peer or a
   * datagram too large for the path goes unreported.
   *
   * Why the copy: libuv tries `sendmsg` first, but when that would block it keeps a pointer to the bytes until the
   * socket is writable. The copy into a slab that is not touched while anything is queued costs less than a fresh
   * buffer per packet would, and lets every caller write each packet into the same memory.
   *
   * @param address an IPv4 or IPv6 address, no name
   * @returns `false` when it was not sent: closed, not an address of this socket's family, port outside 1-65535, more
   *   than 65 507 bytes, or more waiting than `maxQueuedBytes`
   */
  send(data: Uint8Array, port: number, address: string): boolean {
    const length = data.length;
    if (this.#closed !== null || length > MAX_DATAGRAM_BYTES || !(port > 0 && port < 65536)) return false;
    const destination = this.#outgoingNames.get(address) ?? this.#destinationOf(address);
    if (destination === "") return false;
    const socket = this.#socket;
    if (this.#queueing && socket.getSendQueueCount() > 0) {
      if (socket.getSendQueueSize() + length > this.#maxQueuedBytes) return false;
    }
    const view = this.#viewOf(length);
    view.set(data);
    try {
      socket.send(view, port, destination);
    } catch {
      return false; // a fractional port, or dgram's state changed under us
    }
    this.#queueing = this.#tellsQueue && socket.getSendQueueCount() > 0;
    if (this.#queueing) {
      // The queue points into this slab: leave it to the queue and take another.
      this.#slab = NOTHING;
      this.#views = [];
    }
    const counters = this.counters;
    counters.datagramsOut++;
    counters.bytesOut += length;
    return true;
  }

  /** Bytes that wait in this process until the system takes them: 0 but for a full send buffer. */
  get queuedBytes(): number {
    return this.closed || !this.#tellsQueue ? 0 : this.#socket.getSendQueueSize();
  }

  /** Whether `address` is one of a family that this socket carries. */
  canReach(address: string): boolean {
    return (this.#outgoingNames.get(address) ?? this.#destinationOf(address)) !== "";
  }

  /** Adds a tap, after those that are there. The function returned removes it. */
  tap(tap: DatagramTap): () => void {
    const own: DatagramTap = (data, address, port) => tap(data, address, port);
    this.#taps = [...this.#taps, own];
    return () => {
      this.#taps = this.#taps.filter((other) => other !== own);
    };
  }

  /** Calls `listener` once when the socket closes. The function returned takes it back. */
  onClose(listener: () => void): () => void {
    const own = (): void => {
      listener();
    };
    this.#closeListeners = [...this.#closeListeners, own];
    return () => {
      this.#closeListeners = this.#closeListeners.filter((other) => other !== own);
    };
  }

  /** SO_BROADCAST: whether datagrams may go to broadcast addresses. @throws {UDPSocketError} */
  setBroadcast(enabled: boolean): void {
    this.#configure("set broadcast", String(enabled), () => {
      this.#socket.setBroadcast(enabled);
    });
  }

  /** Joins a multicast group on the interface with this address, or on the system's choice. @throws {UDPSocketError} */
  addMembership(group: string, interfaceAddress?: string): void {
    this.#configure("join", group, () => {
      this.#socket.addMembership(group, interfaceAddress);
    });
  }

  /** @throws {UDPSocketError} */
  dropMembership(group: string, interfaceAddress?: string): void {
    this.#configure("leave", group, () => {
      this.#socket.dropMembership(group, interfaceAddress);
    });
  }

  /** The interface from which multicast leaves: its IPv4 address, or `::%name` for IPv6. @throws {UDPSocketError} */
  setMulticastInterface(interfaceAddress: string): void {
    this.#configure("multicast from", interfaceAddress, () => {
      this.#socket.setMulticastInterface(interfaceAddress);
    });
  }

  /** How many routers a multicast datagram may pass, 0-255; the system's default is 1. @throws {UDPSocketError} */
  setMulticastTTL(ttl: number): void {
    this.#configure("set the multicast TTL", String(ttl), () => {
      this.#socket.setMulticastTTL(ttl);
    });
  }

  /** Keeps the process alive while the socket is open: the default. */
  ref(): this {
    if (!this.closed) this.#socket.ref();
    return this;
  }

  /** Lets the process end though the socket is open. */
  unref(): this {
    if (!this.closed) this.#socket.unref();
    return this;
  }

  /** Closes once; resolves when the port is free. What still waits in the send queue is lost. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  /** Closes, for `await using`; resolves when the port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #close(): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#socket.close(resolve);
    });
    const listeners = this.#closeListeners;
    this.#closeListeners = [];
    this.#taps = [];
    // After `close` has returned, so that a listener finds the socket closed.
    queueMicrotask(() => {
      for (const listener of listeners) listener();
    });
    return done;
  }

  #receive(data: Buffer, address: string, port: number): void {
    const counters = this.counters;
    counters.datagramsIn++;
    counters.bytesIn += data.length;
    const taps = this.#taps;
    for (let i = 0; i < taps.length; i++) {
      if (taps[i]?.(data, address, port) === true) return;
    }
    this.onDatagram?.(data, address, port);
  }

  #fail(error: Error): void {
    if (!PASSING.has(errorCode(error)) && !isExhausted(error)) this.#report(error);
    else if (process.platform === "win32")
      setTimeout(() => {
        if (!this.closed && !readAgain(this.#socket)) this.#report(error);
      }, READ_AGAIN_MS);
  }

  #report(error: Error): void {
    this.onError?.(describeSocketError("use UDP port", String(this.localPort), error));
  }

  #nameOf(address: string): string {
    if (this.#incomingNames.size >= MAX_REMEMBERED_ADDRESSES) this.#incomingNames.clear();
    const name = this.#nat64?.toIPv4(address) ?? normalizeAddress(address);
    this.#incomingNames.set(address, name);
    return name;
  }

  #destinationOf(address: string): string {
    const family = addressFamily(address);
    let destination = "";
    if (family === this.family) destination = address;
    else if (family === 4 && this.dualStack) destination = this.#nat64?.toIPv6(address) ?? `::ffff:${address}`;
    if (this.#outgoingNames.size >= MAX_REMEMBERED_ADDRESSES) this.#outgoingNames.clear();
    this.#outgoingNames.set(address, destination);
    return destination;
  }

  #viewOf(length: number): Buffer {
    const known = this.#views[length];
    if (known !== undefined) return known;
    if (length > CACHED_VIEWS || !this.#tellsQueue) return Buffer.allocUnsafeSlow(length);
    if (this.#slab.length === 0) this.#slab = Buffer.allocUnsafeSlow(CACHED_VIEWS);
    const view = this.#slab.subarray(0, length);
    this.#views[length] = view;
    return view;
  }

  #configure(doing: string, subject: string, apply: () => void): void {
    try {
      apply();
    } catch (error) {
      throw describeSocketError(doing, subject, error);
    }
  }
}

/**
 * Where a socket is bound, which some runtimes know only later (Bun): a port that nobody can name is of no use here.
 * @throws {UDPSocketError} `ENOSYS`; the socket is closed then
 */
function boundAddress(socket: dgram.Socket): { address: string; port: number; family: string } {
  try {
    const bound = socket.address();
    if (bound.port > 0) return bound;
  } catch {
    // It says so below.
  }
  try {
    socket.close();
  } catch {
    // It was never open.
  }
  const message =
    "This JavaScript runtime opens UDP sockets later than it is asked to: use Node 22.19 or newer for UDP.";
  throw new UDPSocketError("ENOSYS", message);
}

/** A buffer of another size is a wish, not a need: a system that refuses it still carries the game. */
function trySize(apply: () => void, size: number | undefined): void {
  if (size === undefined) return;
  try {
    apply();
  } catch {
    // keep the system's size
  }
}
