import { EventEmitter } from "node:events";

import { canonicalAddress } from "../net/address.ts";
import { UDPSocketError } from "../net/udp-error.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { GodotError } from "./godot-error.ts";
import {
  acceptPeer,
  DEFAULT_RING_BYTES,
  deliverTo,
  detachPeer,
  endpointOf,
  type PacketPeerUDP,
  type PeerHost,
} from "./packet-peer-udp.ts";
import type { VariantFormat } from "./variant.ts";

/** Events of a {@link UDPServer}; not in Godot. */
export interface UDPServerEvents {
  /** A new peer, its first packet waiting in it. Whoever listens takes the peers, and `takeConnection` finds none. */
  connection: [peer: PacketPeerUDP];
  /** Stopped, by {@link UDPServer.stop} or by a failure of the socket (see {@link UDPServer.lastSocketError}). */
  close: [];
}

/** Options of a {@link UDPServer}; all but `maxPendingConnections` are not in Godot. */
export interface UDPServerOptions {
  /** How many new peers may wait to be taken; 0 refuses all. Default 16, as in Godot. */
  maxPendingConnections?: number;
  /** Milliseconds after which a peer that nobody took is dropped with its packets; Infinity: never. Default 30 000. */
  pendingTimeoutMs?: number;
  /** How many peers there may be, pending and taken; packets of others are dropped beyond it. Default 4096. */
  maxPeers?: number;
  /** Bytes of packets that may wait in each peer; the newest are dropped when it is full. Default 64 KiB, as in Godot. */
  recvBufSize?: number;
  /** Which Godot the peers' `getVar` and `putVar` speak to. Default 4. */
  variantFormat?: VariantFormat;
  /** Milliseconds of a monotonic clock. Default `performance.now`. */
  now?: () => number;
}

const DEFAULT_MAX_PENDING = 16;
const DEFAULT_PENDING_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_PEERS = 4096;

/**
 * Godot's UDPServer: one port, and a {@link PacketPeerUDP} for each address that sends to it. New peers are taken by
 * polling as in Godot, or by the event `connection`, or by `for await (const peer of server)`.
 *
 * Whoever can send a packet is a peer: UDP proves no sender's address. A game for the open internet puts netcode on it.
 *
 * Different from Godot, on purpose:
 * - Packets arrive by themselves between two turns of the event loop. {@link poll} receives nothing; it drops peers that
 *   nobody took in time, and tells whether the server listens.
 * - Pending peers expire (`pendingTimeoutMs`), so that forged packets cannot hold all the places for good.
 * - Raising `maxPendingConnections` keeps the pending peers; lowering it drops the newest.
 * - Peers are found in constant time, and there is a limit to them (`maxPeers`).
 * - A port that another program holds is UNAVAILABLE: the server does not share it by SO_REUSEADDR.
 * - Packets of a taken peer after `stop` fail; they do not open another socket.
 *
 * docs/from-godot.md compares it with Godot, member by member.
 */
export class UDPServer
  extends EventEmitter<UDPServerEvents>
  implements AsyncIterable<PacketPeerUDP>, AsyncDisposable, Disposable
{
  /** Why `listen` failed, or why the server stopped by itself. */
  lastSocketError: UDPSocketError | null = null;

  readonly #options: Required<UDPServerOptions>;
  readonly #host: PeerHost;
  #maxPending: number;
  #socket: UDPSocket | null = null;
  #release: () => void = () => undefined;
  #closing: Promise<void> = Promise.resolve();
  /** Pending and taken peers. */
  readonly #peers: Map<string, Map<number, PacketPeerUDP>> = new Map();
  #peerCount = 0;
  /** Oldest first, with the time of the first packet. */
  readonly #pending: Map<PacketPeerUDP, number> = new Map();
  #waiters: (() => void)[] = [];

  constructor(options: UDPServerOptions = {}) {
    super();
    this.#options = {
      maxPendingConnections: options.maxPendingConnections ?? DEFAULT_MAX_PENDING,
      pendingTimeoutMs: options.pendingTimeoutMs ?? DEFAULT_PENDING_TIMEOUT_MS,
      maxPeers: options.maxPeers ?? DEFAULT_MAX_PEERS,
      recvBufSize: options.recvBufSize ?? DEFAULT_RING_BYTES,
      variantFormat: options.variantFormat ?? 4,
      now: options.now ?? (() => performance.now()),
    };
    this.#maxPending = this.#options.maxPendingConnections;
    const socket = (): UDPSocket | null => this.#socket;
    this.#host = {
      get socket() {
        return socket();
      },
      variantFormat: this.#options.variantFormat,
      release: (peer) => {
        this.#forget(peer);
      },
    };
    this.on("newListener", (event: string | symbol) => {
      // Peers that came before anybody listened, once the listener is in place.
      if (event === "connection") {
        queueMicrotask(() => {
          this.#offer();
        });
      }
    });
  }

  /**
   * A server over a socket that others share by taps: it takes every datagram that no tap takes. Its `stop` lets go of
   * the socket without closing it; the socket's closing stops the server.
   */
  static fromSocket(socket: UDPSocket, options: UDPServerOptions = {}): UDPServer {
    const server = new UDPServer(options);
    server.#attach(socket);
    return server;
  }

  /** The socket that it listens on; null when it does not. Not in Godot. */
  get socket(): UDPSocket | null {
    return this.#socket;
  }

  /** How many new peers may wait to be taken, see {@link setMaxPendingConnections}. Default 16. */
  get maxPendingConnections(): number {
    return this.#maxPending;
  }

  set maxPendingConnections(max: number) {
    this.setMaxPendingConnections(max);
  }

  /**
   * Listens on a port; 0 takes any free one, see {@link getLocalPort}.
   * @param bindAddress `*` for every address of both families, or one address
   * @returns OK; ALREADY_IN_USE when it listens already; INVALID_PARAMETER; UNAVAILABLE when the system refuses (see
   *   {@link lastSocketError})
   */
  listen(port: number, bindAddress = "*"): GodotError {
    if (this.#socket !== null) return GodotError.ALREADY_IN_USE;
    if (!Number.isInteger(port) || port < 0 || port > 65535) return GodotError.INVALID_PARAMETER;
    if (bindAddress !== "*" && canonicalAddress(bindAddress) === undefined) return GodotError.INVALID_PARAMETER;
    let socket: UDPSocket;
    try {
      socket = UDPSocket.open({ port, address: bindAddress });
    } catch (error) {
      if (!(error instanceof UDPSocketError)) throw error;
      this.lastSocketError = error;
      return GodotError.UNAVAILABLE;
    }
    socket.onError = (error) => {
      this.lastSocketError = error;
      this.stop();
    };
    this.#attach(socket);
    const letGo = this.#release;
    this.#release = () => {
      letGo();
      this.#closing = socket.close();
    };
    return GodotError.OK;
  }

  /** Drops pending peers whose time is over. @returns OK, or UNCONFIGURED when the server does not listen */
  poll(): GodotError {
    if (this.#socket === null) return GodotError.UNCONFIGURED;
    this.#expire();
    return GodotError.OK;
  }

  /** Whether {@link takeConnection} has a peer to give. */
  isConnectionAvailable(): boolean {
    this.#expire();
    return this.#pending.size > 0;
  }

  /** The oldest peer that waits, its packets kept; null when there is none. */
  takeConnection(): PacketPeerUDP | null {
    this.#expire();
    const [peer] = this.#pending.keys();
    if (peer === undefined) return null;
    this.#pending.delete(peer);
    return peer;
  }

  /** Whether it listens on a port. */
  isListening(): boolean {
    return this.#socket !== null;
  }

  /** The port that it listens on; 0 when it does not. */
  getLocalPort(): number {
    return this.#socket?.localPort ?? 0;
  }

  /** The getter of {@link maxPendingConnections}. */
  getMaxPendingConnections(): number {
    return this.#maxPending;
  }

  /** 0 refuses new peers. Lowering it drops the newest of those that wait. A negative or broken number is ignored. */
  setMaxPendingConnections(max: number): void {
    if (!(max >= 0)) return;
    this.#maxPending = max;
    for (const peer of [...this.#pending.keys()].slice(Math.ceil(max))) this.#drop(peer);
  }

  /** Stops listening and closes all peers, without telling the other ends. May be called again. */
  stop(): void {
    if (this.#socket === null) return;
    this.#socket = null;
    this.#release();
    this.#release = () => undefined;
    const peers = [...this.#peers.values()].flatMap((ports) => [...ports.values()]);
    this.#peers.clear();
    this.#peerCount = 0;
    this.#pending.clear();
    for (const peer of peers) detachPeer(peer);
    this.#wake();
    this.emit("close");
  }

  /** New peers until the server stops, or the loop is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PacketPeerUDP, void, undefined> {
    while (this.#socket !== null) {
      const peer = this.takeConnection();
      if (peer !== null) yield peer;
      else {
        await new Promise<void>((resolve) => {
          this.#waiters.push(resolve);
        });
      }
    }
  }

  /** Stops, for `using`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** Stops; resolves when the port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#closing;
  }

  #attach(socket: UDPSocket): void {
    this.#socket = socket;
    const onDatagram = (data: Buffer, address: string, port: number): void => {
      const peer = this.#peers.get(address)?.get(port);
      if (peer === undefined) this.#welcome(data, address, port);
      else deliverTo(peer, data, address, port);
    };
    socket.onDatagram = onDatagram;
    const stopWatching = socket.onClose(() => {
      this.stop();
    });
    this.#release = () => {
      stopWatching();
      if (socket.onDatagram === onDatagram) socket.onDatagram = null;
    };
  }

  #welcome(data: Buffer, address: string, port: number): void {
    this.#expire();
    if (this.#pending.size >= this.#maxPending || this.#peerCount >= this.#options.maxPeers) return;
    const peer = acceptPeer(this.#host, address, port, this.#options.recvBufSize);
    let ports = this.#peers.get(address);
    if (ports === undefined) {
      ports = new Map();
      this.#peers.set(address, ports);
    }
    ports.set(port, peer);
    this.#peerCount++;
    this.#pending.set(peer, this.#options.now());
    deliverTo(peer, data, address, port);
    this.#offer();
  }

  #offer(): void {
    while (this.#pending.size > 0 && this.listenerCount("connection") > 0) {
      const peer = this.takeConnection();
      if (peer !== null) this.emit("connection", peer);
    }
    if (this.#pending.size > 0) this.#wake();
  }

  #expire(): void {
    if (this.#pending.size === 0) return;
    const latest = this.#options.now() - this.#options.pendingTimeoutMs;
    for (const [peer, since] of this.#pending) {
      if (since > latest) return;
      this.#drop(peer);
    }
  }

  #drop(peer: PacketPeerUDP): void {
    this.#forget(peer);
    detachPeer(peer);
  }

  #forget(peer: PacketPeerUDP): void {
    this.#pending.delete(peer);
    const { address, port } = endpointOf(peer);
    const ports = this.#peers.get(address);
    if (ports?.get(port) !== peer) return;
    ports.delete(port);
    this.#peerCount--;
    if (ports.size === 0) this.#peers.delete(address);
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
