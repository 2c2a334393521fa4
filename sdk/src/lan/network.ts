/** Multicast on every interface of this machine that leads to a local network. */
import { createSocket, type Socket } from "node:dgram";
import { withZone, zoneIn } from "../net/address.ts";
import { normalizeAddress } from "../net/endpoint.ts";
import { isExhausted } from "../net/exhaustion.ts";
import { whyForbidden } from "../net/firewall.ts";
import { readInterfaces } from "../net/interfaces.ts";
import { addressScope } from "../net/scope.ts";
import { isPortTaken } from "../net/udp-error.ts";
import { type Link, linksOf, neighbourhoodOf } from "./links.ts";
import { LAN_GROUP_4, LAN_GROUP_6, LAN_PORT } from "./packet.ts";

/** Who sent a datagram, or gets one. */
export interface LanRemote {
  /** The address, IPv6 with its zone. */
  address: string;
  /** The UDP port, 1-65535. */
  port: number;
}

/** How the local network is reached. */
export interface LanNetworkState {
  /** Ours on local networks, from which is sent: neither loopback nor link-local IPv6, IPv4 first. */
  addresses: string[];
  /** What does not work, in plain words; empty when all does. */
  problem: string;
}

/** What the announcer and the search stand on; tests hand in their own. */
export interface LanNetwork {
  /** Of senders on a network of ours only. */
  onPacket: (datagram: Uint8Array, remote: LanRemote) => void;
  /** On all interfaces. What cannot be sent is lost. */
  multicast(datagram: Uint8Array): void;
  /** To one address. What cannot be sent is lost. */
  unicast(datagram: Uint8Array, remote: LanRemote): void;
  /** Interfaces may have come and gone. */
  refresh(): void;
  /** Where it sends from, and what does not work. */
  readonly state: LanNetworkState;
  /** Closes the sockets; resolves when they are closed. */
  close(): Promise<void>;
}

export interface LanNetworkOptions {
  /** Default 28772. */
  port?: number | undefined;
  /** Only on the interface that has this address. Default: on all. */
  address?: string | undefined;
  /** Do not keep the process alive. */
  unref?: boolean;
}

/** One socket for each interface, since a socket sends multicast through one only; what it asks is answered to it. */
interface Sender {
  link: Link;
  socket: Socket;
  /** Why the last datagram did not leave. */
  problem: string;
}

export class UDPLanNetwork implements LanNetwork {
  onPacket: (datagram: Uint8Array, remote: LanRemote) => void = () => undefined;

  readonly #port: number;
  readonly #only: string | undefined;
  readonly #unref: boolean;
  readonly #senders = new Map<string, Sender>();
  /** Hears what goes to the group; another program that has the port for itself leaves us with answers alone. */
  readonly #receivers: { 4: Socket | undefined; 6: Socket | undefined } = { 4: undefined, 6: undefined };
  /** Families whose receiver the system had no descriptor for: the next refresh tries again. */
  readonly #owed = new Set<4 | 6>([4, 6]);
  #deaf = "";
  #isNear: (address: string) => boolean = () => false;
  #closed = false;

  constructor({ port = LAN_PORT, address, unref = false }: LanNetworkOptions = {}) {
    this.#port = port;
    this.#only = address;
    this.#unref = unref;
    this.refresh();
  }

  get state(): LanNetworkState {
    const senders = [...this.#senders.values()].sort((a, b) => a.link.family - b.link.family);
    const isTold = ({ link: { family, address } }: Sender): boolean =>
      addressScope(address) !== "loopback" && (family === 4 || addressScope(address) !== "link-local");
    return {
      addresses: senders
        .filter((sender) => isTold(sender) && sender.problem === "")
        .map(({ link: { address } }) => address),
      problem: senders.find((sender) => isTold(sender) && sender.problem !== "")?.problem ?? this.#deaf,
    };
  }

  multicast(datagram: Uint8Array): void {
    for (const sender of this.#senders.values()) {
      const { link, socket } = sender;
      const group = link.family === 4 ? LAN_GROUP_4 : withZone(LAN_GROUP_6, link.zone);
      send(socket, datagram, { address: group, port: this.#port }, (error) => {
        sender.problem = error ? `Nothing can be sent from ${link.address}: ${reasonOf(error)}.` : "";
      });
    }
  }

  unicast(datagram: Uint8Array, remote: LanRemote): void {
    const family = remote.address.includes(":") ? 6 : 4;
    const zone = zoneIn(remote.address);
    const sender = [...this.#senders.values()].find(
      ({ link }) => link.family === family && (zone === undefined || zone === link.zone),
    );
    if (sender !== undefined) send(this.#receivers[family] ?? sender.socket, datagram, remote);
  }

  refresh(): void {
    if (this.#closed) return;
    for (const family of this.#owed) this.#receivers[family] = this.#receiver(family);
    this.#owed.clear();
    const links = new Map(this.#links().map((link) => [`${link.name} ${link.address}`, link]));
    for (const [key, { socket }] of this.#senders) {
      if (links.has(key)) continue;
      this.#senders.delete(key);
      void close(socket);
    }
    for (const [key, link] of links) if (!this.#senders.has(key)) this.#senders.set(key, this.#sender(key, link));
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

  #links(): Link[] {
    const links = linksOf(readInterfaces());
    if (this.#only === undefined) return links;
    const name = links.find(({ address }) => address === this.#only)?.name;
    return links.filter((link) => link.name === name);
  }

  #sender(key: string, link: Link): Sender {
    const socket = this.#open(link.family);
    // An interface that has gone, or an address that is not settled yet: the next refresh tries anew.
    socket.once("error", () => {
      if (this.#senders.get(key)?.socket === socket) this.#senders.delete(key);
    });
    const ready = (): void => {
      const scope = link.family === 4 ? link.address : withZone("::", link.zone);
      attempt(() => socket.setMulticastInterface(scope));
      stayNear(socket);
      this.#join(link);
    };
    // Bound to the interface's own address, so that it is what the others see.
    const isZoned = link.family === 6 && addressScope(link.address) === "link-local";
    const address = isZoned ? withZone(link.address, link.zone) : link.address;
    socket.bind({ port: 0, address, exclusive: true }, ready);
    return { link, socket, problem: "" };
  }

  #join({ family, address, zone }: Link): void {
    const receiver = this.#receivers[family];
    if (receiver === undefined) return;
    // Twice the same is an error, and so is an interface that has just gone.
    if (family === 4) attempt(() => receiver.addMembership(LAN_GROUP_4, address));
    else attempt(() => receiver.addMembership(LAN_GROUP_6, withZone("::", zone)));
  }

  #receiver(family: 4 | 6): Socket {
    const socket = this.#open(family);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      this.#receivers[family] = undefined;
      if (isExhausted(error)) this.#owed.add(family);
      else if (isPortTaken(error.code, this.#port)) {
        this.#deaf = `UDP port ${this.#port} belongs to another program: questions of players are not heard.`;
      }
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
    // A family that this machine does not have, for example: the others go on.
    socket.on("error", () => void close(socket));
    socket.on("message", (datagram, { address, port }) => {
      const from = normalizeAddress(address);
      if (this.#isNear(from) && !this.#closed) this.onPacket(datagram, { address: from, port });
    });
    if (this.#unref) socket.unref();
    return socket;
  }
}

function send(
  socket: Socket,
  datagram: Uint8Array,
  { address, port }: LanRemote,
  onSent: (error: Error | null) => void = () => undefined,
): void {
  // Also when it is not bound yet, or no longer: there will be another announcement.
  attempt(() => socket.send(datagram, port, address, onSent));
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return whyForbidden(error.code) ?? error.code ?? error.message;
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
