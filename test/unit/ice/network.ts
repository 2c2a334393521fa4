/** A seeded network of hosts and translators (RFC 4787) in simulated time. */
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";

export interface Packet {
  readonly data: Uint8Array;
  readonly from: Endpoint;
  readonly to: Endpoint;
}

export class Clock {
  now = 1000;
  readonly random: () => number;
  #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.random() * 256));
  }

  at(time: number, run: () => void): void {
    const event = { at: Math.max(time, this.now), order: this.#order++, run };
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1]?.at ?? 0) > event.at) index--;
    this.#events.splice(index, 0, event);
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** The machine sleeps: whatever was due comes later, and the clock has gone on. */
  sleep(ms: number): void {
    this.now += ms;
    for (const event of this.#events) event.at += ms;
  }

  /** Runs until `done` says so. @returns whether it did within `ms` */
  run(ms: number, done: () => boolean = () => false): boolean {
    const end = this.now + ms;
    for (;;) {
      if (done()) return true;
      const event = this.#events[0];
      if (event === undefined || event.at > end) break;
      this.#events.shift();
      this.now = event.at;
      event.run();
    }
    this.now = end;
    return done();
  }
}

/** Where packets to an address go. */
type Receiver = (packet: Packet) => void;

/** A network in which addresses reach one another: a LAN, a carrier's, the internet. */
export class Network {
  readonly clock: Clock;
  /** One way, in ms. */
  delay: number;
  /** Share of packets lost, 0-1. */
  loss = 0;
  /** Extra delay up to this, in ms: packets overtake one another. */
  jitter = 0;
  /** What all else is given to. */
  uplink: Receiver | null = null;
  packets = 0;
  /** Sees all that is sent in it. */
  onPacket: ((packet: Packet) => void) | null = null;
  /** Whether a packet gets through. */
  filter: ((packet: Packet) => boolean) | null = null;
  /** In place of {@link delay}. */
  delayOf: ((packet: Packet) => number) | null = null;
  readonly #receivers: Map<string, Receiver> = new Map();

  constructor(clock: Clock, delay: number) {
    this.clock = clock;
    this.delay = delay;
  }

  attach(address: string, receiver: Receiver): void {
    this.#receivers.set(address, receiver);
  }

  detach(address: string): void {
    this.#receivers.delete(address);
  }

  route(packet: Packet): void {
    this.packets++;
    this.onPacket?.(packet);
    if (this.clock.random() < this.loss || this.filter?.(packet) === false) return;
    this.clock.after((this.delayOf?.(packet) ?? this.delay) + this.clock.random() * this.jitter, () => {
      (this.#receivers.get(packet.to.address) ?? this.uplink)?.(packet);
    });
  }
}

export interface NatOptions {
  readonly mapping?: "endpoint-independent" | "address-and-port-dependent";
  readonly filtering?: "endpoint-independent" | "address-dependent" | "address-and-port-dependent";
  readonly hairpin?: boolean;
  readonly blockUdp?: boolean;
  /** Next port for a new mapping of a symmetric one: in order, or at random. */
  readonly ports?: "sequential" | "random";
  /** The public port is the private one, where it is free: always, or where the private one lies in the NAT's own range. */
  readonly keepsPort?: boolean | ((port: number) => boolean);
  /** Milliseconds until an unused mapping is forgotten. */
  readonly timeoutMs?: number;
}

interface Mapping {
  readonly inside: Endpoint;
  readonly outsidePort: number;
  readonly key: string;
  usedAt: number;
  readonly peers: Set<string>;
}

export class Nat {
  readonly inside: Network;
  readonly outside: Network;
  address: string;
  readonly options: NatOptions;
  dropped = 0;
  readonly #byKey: Map<string, Mapping> = new Map();
  readonly #byPort: Map<number, Mapping> = new Map();
  readonly #forwards: Map<number, Endpoint> = new Map();
  #nextPort = 40_000;

  constructor(inside: Network, outside: Network, address: string, options: NatOptions = {}) {
    this.inside = inside;
    this.outside = outside;
    this.address = address;
    this.options = options;
    inside.uplink = (packet) => this.#outbound(packet);
    outside.attach(address, (packet) => this.#inbound(packet));
  }

  /** A mapping by the gateway's own protocol: whatever comes to the port goes inside. */
  forward(port: number, to: Endpoint): void {
    this.#forwards.set(port, to);
  }

  /** All mappings are forgotten, as after a restart; new ones get other ports. */
  forget(): void {
    this.#byKey.clear();
    this.#byPort.clear();
    this.#nextPort += 100;
  }

  /** Another address outside; connections of the old one are gone. */
  renumber(address: string): void {
    this.outside.detach(this.address);
    this.address = address;
    this.outside.attach(address, (packet) => this.#inbound(packet));
    this.forget();
  }

  #outbound(packet: Packet): void {
    if (this.options.blockUdp === true) return;
    if (packet.to.address === this.address) {
      if (this.options.hairpin !== true) return;
      const from = this.#translate(packet);
      this.#inbound({ ...packet, from });
      return;
    }
    this.outside.route({ ...packet, from: this.#translate(packet) });
  }

  #translate({ from, to }: Packet): Endpoint {
    const forwarded = [...this.#forwards].find(
      ([, { address, port }]) => address === from.address && port === from.port,
    );
    if (forwarded !== undefined) return { address: this.address, port: forwarded[0] };
    const symmetric = this.options.mapping === "address-and-port-dependent";
    const key = `${from.address} ${from.port}${symmetric ? ` ${to.address} ${to.port}` : ""}`;
    const { clock } = this.outside;
    let mapping = this.#byKey.get(key);
    if (mapping !== undefined && clock.now - mapping.usedAt > (this.options.timeoutMs ?? 30_000)) {
      this.#byPort.delete(mapping.outsidePort);
      mapping = undefined;
    }
    if (mapping === undefined) {
      mapping = {
        inside: from,
        outsidePort: this.#freePort(symmetric, from.port),
        key,
        usedAt: clock.now,
        peers: new Set(),
      };
      this.#byKey.set(key, mapping);
      this.#byPort.set(mapping.outsidePort, mapping);
    }
    mapping.usedAt = clock.now;
    mapping.peers.add(this.#filterKey(to));
    return { address: this.address, port: mapping.outsidePort };
  }

  #freePort(symmetric: boolean, wished: number): number {
    const { keepsPort = false } = this.options;
    const mayKeep = typeof keepsPort === "boolean" ? keepsPort : keepsPort(wished);
    if (mayKeep && !this.#byPort.has(wished)) return wished;
    if (symmetric && this.options.ports === "random") {
      for (;;) {
        const port = 1024 + Math.floor(this.outside.clock.random() * 64_000);
        if (!this.#byPort.has(port)) return port;
      }
    }
    while (this.#byPort.has(this.#nextPort)) this.#nextPort++;
    return this.#nextPort++;
  }

  #inbound(packet: Packet): void {
    const { clock } = this.outside;
    const forward = this.#forwards.get(packet.to.port);
    const mapping = this.#byPort.get(packet.to.port);
    let to = forward;
    if (to === undefined && mapping !== undefined) {
      const alive = clock.now - mapping.usedAt <= (this.options.timeoutMs ?? 30_000);
      if (alive && (this.#isOpen() || mapping.peers.has(this.#filterKey(packet.from)))) to = mapping.inside;
    }
    if (to === undefined || this.options.blockUdp === true) this.dropped++;
    else this.inside.route({ ...packet, to });
  }

  #isOpen(): boolean {
    return this.options.filtering === "endpoint-independent";
  }

  #filterKey({ address, port }: Endpoint): string {
    return this.options.filtering === "address-dependent" ? address : `${address} ${port}`;
  }
}

/** A machine with one UDP socket. */
export class Host {
  readonly network: Network;
  address: string;
  readonly port: number;
  onPacket: ((packet: Packet) => void) | null = null;
  sent = 0;

  constructor(network: Network, address: string, port = 7777) {
    this.network = network;
    this.address = address;
    this.port = port;
    network.attach(address, (packet) => this.#receive(packet));
  }

  send(data: Uint8Array, address: string, port: number): void {
    this.sent++;
    this.network.route({ data, from: { address: this.address, port: this.port }, to: { address, port } });
  }

  #receive(packet: Packet): void {
    if (packet.to.port === this.port) this.onPacket?.(packet);
  }
}

/** A TURN server, as seen by those who have an allocation: the way to it always works while it lives. */
export class RelayServer {
  alive = true;
  readonly #internet: Network;
  readonly #address: string;
  readonly #allocations: Map<number, Allocation> = new Map();
  #nextPort = 50_000;

  constructor(internet: Network, address: string) {
    this.#internet = internet;
    this.#address = address;
    internet.attach(address, (packet) => {
      if (!this.alive) return;
      const allocation = this.#allocations.get(packet.to.port);
      if (allocation === undefined || !allocation.permitted.has(packet.from.address)) return;
      internet.clock.after(internet.delay, () => this.alive && allocation.onPacket?.(packet));
    });
  }

  allocate(): Allocation {
    const relayed = { address: this.#address, port: this.#nextPort++ };
    const allocation: Allocation = {
      relayed,
      permitted: new Set(),
      onPacket: null,
      send: (data, address, port) => {
        allocation.permitted.add(address);
        this.#internet.clock.after(this.#internet.delay, () => {
          if (this.alive) this.#internet.route({ data, from: relayed, to: { address, port } });
        });
      },
    };
    this.#allocations.set(relayed.port, allocation);
    return allocation;
  }
}

export interface Allocation {
  readonly relayed: Endpoint;
  readonly permitted: Set<string>;
  onPacket: ((packet: Packet) => void) | null;
  send(data: Uint8Array, address: string, port: number): void;
}
