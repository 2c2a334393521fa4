/** One guest's flows at the host: a socket towards the local program for each, so that the program tells them apart. */
import { UDPSocket } from "../../net/udp-socket.ts";
import { DATAGRAM_HEADER_BYTES } from "../wire/protocol.ts";
import type { DatagramLine } from "./datagram-line.ts";

/** RFC 4787 REQ-5: a flow is kept for two minutes of silence at the least. */
export const FLOW_IDLE_MS = 120_000;
/** Flows of one guest: a game, its queries, and some who play at the same computer. */
export const MAX_HOST_FLOWS = 64;
/** A flow that was used so lately gives no room to another, ms. */
const BUSY_MS = 5_000;
/** A burst of a game's tick. */
const RECEIVE_BUFFER_BYTES = 1 << 18;

export interface HostFlowsOptions {
  line: DatagramLine;
  /** Where the local program is that a shared UDP port leads to, by its place in the offer; undefined for any other. */
  target: (port: number) => { address: string; port: number } | undefined;
  /** The address that this guest has at the local program; undefined for the system's choice. */
  source: string | undefined;
  /** ms, monotonic. */
  now: () => number;
  /** Counts the flows of all guests; false where there are too many. */
  mayOpen: () => boolean;
}

interface HostFlow {
  readonly key: number;
  readonly socket: UDPSocket;
  readonly address: string;
  readonly port: number;
  usedAt: number;
}

export class HostFlows {
  readonly #options: HostFlowsOptions;
  readonly #flows = new Map<number, HostFlow>();

  constructor(options: HostFlowsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** A datagram of the guest's, as the session gives it. */
  receive(message: Uint8Array): void {
    if (message.length < DATAGRAM_HEADER_BYTES) return;
    const [port = 0, low = 0, high = 0] = message;
    const key = (port << 16) | (high << 8) | low;
    const flow = this.#flows.get(key) ?? this.#open(key, port);
    const { counters } = this.#options.line;
    if (flow === undefined) {
      counters.dropped++;
      return;
    }
    flow.usedAt = this.#options.now();
    const payload = message.subarray(DATAGRAM_HEADER_BYTES);
    counters.datagramsIn++;
    counters.bytesIn += payload.length;
    flow.socket.send(payload, flow.port, flow.address);
  }

  /** Ends what has been silent for {@link FLOW_IDLE_MS}. */
  prune(): void {
    const until = this.#options.now() - FLOW_IDLE_MS;
    for (const flow of this.#flows.values()) if (flow.usedAt < until) this.#end(flow);
  }

  close(): void {
    for (const flow of this.#flows.values()) this.#end(flow);
  }

  #open(key: number, port: number): HostFlow | undefined {
    const target = this.#options.target(port);
    if (target === undefined || !this.#makeRoom()) return undefined;
    const socket = openTowards(target.address, this.#options.source);
    if (socket === null) return undefined;
    const flow = { key, socket, ...target, usedAt: this.#options.now() };
    const id = key & 0xffff;
    socket.onDatagram = (data, address, from) => {
      // Nobody but the local program speaks to the guest.
      if (from !== flow.port || address !== flow.address) return;
      flow.usedAt = this.#options.now();
      this.#options.line.send(port, id, data);
    };
    this.#flows.set(key, flow);
    return flow;
  }

  #makeRoom(): boolean {
    if (this.#flows.size < MAX_HOST_FLOWS && this.#options.mayOpen()) return true;
    let oldest: HostFlow | undefined;
    for (const flow of this.#flows.values()) if (flow.usedAt < (oldest?.usedAt ?? Infinity)) oldest = flow;
    if (oldest === undefined || this.#options.now() - oldest.usedAt < BUSY_MS) return false;
    this.#end(oldest);
    return true;
  }

  #end(flow: HostFlow): void {
    this.#flows.delete(flow.key);
    void flow.socket.close();
  }
}

/** From the guest's own address where the system has it: macOS has 127.0.0.1 alone. Null where the system gives no socket. */
function openTowards(address: string, source: string | undefined): UDPSocket | null {
  const family = address.includes(":") ? "::" : "0.0.0.0";
  const options = { receiveBufferSize: RECEIVE_BUFFER_BYTES };
  const own =
    source !== undefined && address === "127.0.0.1" ? UDPSocket.tryOpen({ ...options, address: source }) : null;
  return own ?? UDPSocket.tryOpen({ ...options, address: family });
}
