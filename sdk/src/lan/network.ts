/** Multicast on every interface of this machine. */
import { createSocket, type Socket } from "node:dgram";
import { BlockList } from "node:net";
import { networkInterfaces } from "node:os";
import { normalizeAddress } from "../udp/endpoint.ts";
import { LAN_GROUP_4, LAN_GROUP_6, LAN_PORT } from "./packet.ts";

export interface LanRemote {
  address: string;
  port: number;
}

/** What the announcer and the search stand on; tests hand in their own. */
export interface LanNetwork {
  /** Of senders on a network of ours only. */
  onPacket: (datagram: Uint8Array, remote: LanRemote) => void;
  /** On all interfaces. What cannot be sent is lost. */
  multicast(datagram: Uint8Array): void;
  unicast(datagram: Uint8Array, remote: LanRemote): void;
  /** Interfaces may have come and gone. */
  refresh(): void;
  close(): Promise<void>;
}

export interface LanNetworkOptions {
  /** Default 28772. */
  port?: number | undefined;
  /** Do not keep the process alive. */
  unref?: boolean;
}

/** An address of an interface. */
export interface Link {
  name: string;
  address: string;
  family: 4 | 6;
  prefixLength: number;
}

/** One socket for each interface, since a socket sends multicast through one only; what it asks is answered to it. */
interface Sender {
  link: Link;
  socket: Socket;
}

export class UDPLanNetwork implements LanNetwork {
  onPacket: (datagram: Uint8Array, remote: LanRemote) => void = () => undefined;

  readonly #port: number;
  readonly #unref: boolean;
  readonly #senders = new Map<string, Sender>();
  /** Hears what goes to the group; another program that has the port for itself leaves us with answers alone. */
  #receivers: { 4: Socket | undefined; 6: Socket | undefined } = { 4: undefined, 6: undefined };
  #isNear: (address: string) => boolean = () => false;
  #closed = false;

  constructor({ port = LAN_PORT, unref = false }: LanNetworkOptions = {}) {
    this.#port = port;
    this.#unref = unref;
    this.#receivers = { 4: this.#receiver(4), 6: this.#receiver(6) };
    this.refresh();
  }

  multicast(datagram: Uint8Array): void {
    for (const { link, socket } of this.#senders.values()) {
      const group = link.family === 4 ? LAN_GROUP_4 : `${LAN_GROUP_6}%${link.name}`;
      send(socket, datagram, { address: group, port: this.#port });
    }
  }

  unicast(datagram: Uint8Array, remote: LanRemote): void {
    const family = remote.address.includes(":") ? 6 : 4;
    const sender = [...this.#senders.values()].find(
      ({ link }) => link.family === family && (family === 4 || remote.address.endsWith(`%${link.name}`)),
    );
    if (sender !== undefined) send(this.#receivers[family] ?? sender.socket, datagram, remote);
  }

  refresh(): void {
    if (this.#closed) return;
    const links = new Map(linksOf(networkInterfaces()).map((link) => [`${link.name} ${link.address}`, link]));
    for (const [key, { socket }] of this.#senders) {
      if (links.has(key)) continue;
      this.#senders.delete(key);
      void close(socket);
    }
    for (const [key, link] of links) {
      if (!this.#senders.has(key)) this.#senders.set(key, { link, socket: this.#sender(link) });
    }
    this.#isNear = neighbourhoodOf(links.values());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const sockets = Array.from(this.#senders.values(), ({ socket }) => socket);
    for (const socket of [this.#receivers[4], this.#receivers[6]]) if (socket !== undefined) sockets.push(socket);
    this.#senders.clear();
    await Promise.all(sockets.map(close));
  }

  #sender(link: Link): Socket {
    const socket = this.#open(link.family);
    const ready = (): void => {
      const scope = link.family === 4 ? link.address : `::%${link.name}`;
      attempt(() => socket.setMulticastInterface(scope));
      stayNear(socket);
      this.#join(link);
    };
    // Bound to the interface's own address, so that it is what the others see.
    const address = link.family === 4 ? link.address : `${link.address}%${link.name}`;
    socket.bind({ port: 0, address, exclusive: true }, ready);
    return socket;
  }

  #join({ family, address, name }: Link): void {
    const receiver = this.#receivers[family];
    if (receiver === undefined) return;
    // Twice the same is an error, and so is an interface that has just gone.
    if (family === 4) attempt(() => receiver.addMembership(LAN_GROUP_4, address));
    else attempt(() => receiver.addMembership(LAN_GROUP_6, `::%${name}`));
  }

  #receiver(family: 4 | 6): Socket {
    const socket = this.#open(family);
    socket.once("error", () => {
      this.#receivers[family] = undefined;
    });
    // Several programs of one machine may listen.
    socket.bind({ port: this.#port, exclusive: true }, () => {
      stayNear(socket);
      for (const { link } of this.#senders.values()) if (link.family === family) this.#join(link);
    });
    return socket;
  }

  #open(family: 4 | 6): Socket {
    const socket = createSocket({ type: `udp${family}`, reuseAddr: true, ...(family === 6 ? { ipv6Only: true } : {}) });
    // An interface that has gone, a family that this machine does not have: the others go on.
    socket.on("error", () => void close(socket));
    socket.on("message", (datagram, { address, port }) => {
      const from = normalizeAddress(address);
      if (this.#isNear(from) && !this.#closed) this.onPacket(datagram, { address: from, port });
    });
    if (this.#unref) socket.unref();
    return socket;
  }
}

/**
 * Who is on a network of ours: a source far away was forged, or came through a router that forwards what it should not.
 */
export function neighbourhoodOf(links: Iterable<Link>): (address: string) => boolean {
  const near = new BlockList();
  for (const { address, prefixLength, family } of links) {
    if (family === 4) near.addSubnet(address, prefixLength, "ipv4");
  }
  near.addSubnet("fe80::", 10, "ipv6");
  return (address) => {
    const bare = address.split("%", 1)[0] ?? "";
    try {
      return near.check(bare, bare.includes(":") ? "ipv6" : "ipv4");
    } catch {
      return false;
    }
  };
}

/** Loopback too: two programs on a machine without any network are neighbours. */
export function linksOf(interfaces: ReturnType<typeof networkInterfaces>): Link[] {
  const links: Link[] = [];
  for (const [name, addresses] of Object.entries(interfaces)) {
    for (const { address, family, cidr } of addresses ?? []) {
      const prefixLength = Number(cidr?.split("/")[1] ?? (family === "IPv4" ? 32 : 128));
      if (family === "IPv4") links.push({ name, address, family: 4, prefixLength });
      else if (address.startsWith("fe80:")) links.push({ name, address, family: 6, prefixLength });
    }
  }
  return links;
}

function send(socket: Socket, datagram: Uint8Array, { address, port }: LanRemote): void {
  // Also when it is not bound yet, or no longer: there will be another announcement.
  attempt(() => socket.send(datagram, port, address, () => undefined));
}

/** No router passes it on. */
function stayNear(socket: Socket): void {
  attempt(() => socket.setTTL(1));
  attempt(() => socket.setMulticastTTL(1));
  attempt(() => socket.setMulticastLoopback(true));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Said where it is called.
  }
}

function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    try {
      socket.close();
    } catch {
      resolve(); // it is closed
    }
  });
}
