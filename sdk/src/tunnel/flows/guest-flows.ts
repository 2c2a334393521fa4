/** The guest's flows: each source address and port of a local program has a number, by which its answers come back. */
import { EndpointMap } from "../../net/endpoint-map.ts";
import type { UDPSocket } from "../../net/udp-socket.ts";
import { DATAGRAM_HEADER_BYTES } from "../wire/protocol.ts";
import type { DatagramLine } from "./datagram-line.ts";
import { FLOW_IDLE_MS } from "./host-flows.ts";

/** More than a house plays with. When there are more, the one that has been silent longest ends. */
const MAX_GUEST_FLOWS = 256;
const MAX_FLOW = 0xffff;

interface GuestFlow {
  readonly id: number;
  /** The shared port, by its place in the offer; it changes where a restarted host offers others. */
  listener: GuestListener;
  readonly address: string;
  readonly port: number;
  usedAt: number;
}

interface GuestListener {
  readonly socket: UDPSocket;
  /** The shared port's place in the offer; undefined while the host does not share it. */
  index: number | undefined;
  readonly flows: EndpointMap<GuestFlow>;
}

export class GuestFlows {
  readonly #line: DatagramLine;
  readonly #now: () => number;
  readonly #byId = new Map<number, GuestFlow>();
  readonly #listeners: GuestListener[] = [];
  #ids = 0;

  /** @param now ms, monotonic */
  constructor(line: DatagramLine, now: () => number) {
    this.#line = line;
    this.#now = now;
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * Takes what local programs send to `socket`, for a shared UDP port.
   * @returns to be called with the port's place in each offer; undefined where it has none
   */
  listen(socket: UDPSocket): (index: number | undefined) => void {
    const listener: GuestListener = { socket, index: undefined, flows: new EndpointMap() };
    this.#listeners.push(listener);
    socket.onDatagram = (data, address, port) => {
      if (listener.index === undefined) return;
      const flow = listener.flows.get(address, port) ?? this.#open(listener, address, port);
      flow.usedAt = this.#now();
      this.#line.send(listener.index, flow.id, data);
    };
    return (index) => {
      listener.index = index;
    };
  }

  /** A datagram of the host's, as the session gives it. */
  receive(message: Uint8Array): void {
    if (message.length < DATAGRAM_HEADER_BYTES) return;
    const [index = 0, low = 0, high = 0] = message;
    const flow = this.#byId.get((high << 8) | low);
    if (flow === undefined || flow.listener.index !== index) return;
    flow.usedAt = this.#now();
    const payload = message.subarray(DATAGRAM_HEADER_BYTES);
    const { counters } = this.#line;
    counters.datagramsIn++;
    counters.bytesIn += payload.length;
    flow.listener.socket.send(payload, flow.port, flow.address);
  }

  /** Ends what has been silent for {@link FLOW_IDLE_MS}. */
  prune(): void {
    const until = this.#now() - FLOW_IDLE_MS;
    for (const flow of this.#byId.values()) if (flow.usedAt < until) this.#end(flow);
  }

  #open(listener: GuestListener, address: string, port: number): GuestFlow {
    if (this.#byId.size >= MAX_GUEST_FLOWS) this.#endOldest();
    do this.#ids = (this.#ids + 1) & MAX_FLOW;
    while (this.#byId.has(this.#ids));
    const flow = { id: this.#ids, listener, address, port, usedAt: this.#now() };
    this.#byId.set(flow.id, flow);
    listener.flows.set(address, port, flow);
    return flow;
  }

  #endOldest(): void {
    let oldest: GuestFlow | undefined;
    for (const flow of this.#byId.values()) if (flow.usedAt < (oldest?.usedAt ?? Infinity)) oldest = flow;
    if (oldest) this.#end(oldest);
  }

  #end({ id, listener, address, port }: GuestFlow): void {
    this.#byId.delete(id);
    listener.flows.delete(address, port);
  }
}
