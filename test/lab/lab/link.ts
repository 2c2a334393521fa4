/** A network cable: an interface in a machine, and the other end of it in a router. */
import { ip, shell } from "./netns.ts";

export interface Link {
  readonly address: string;
  /** The router at the other end; both stand in the same /24. */
  readonly router: string;
  readonly address6?: string;
  readonly router6?: string;
  /** First four groups of the `/64` that the provider delegates to a gateway. */
  readonly delegated6?: string;
  readonly peer: Peer;
}

export interface Peer {
  /** Namespace of the router. */
  readonly namespace: string;
  /** The other end of the cable. */
  readonly interface: string;
  /** The interface that has the router's address: the bridge, on a LAN; else the same. */
  readonly routed: string;
}

/** Without duplicate address detection an IPv6 address is good at once; there are no duplicates here. */
export const NO_DAD = "for file in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >$file; done\n";

/** Configures the interface of a machine. */
export function machineScript(link: Link, name: string): string {
  const lines = ["link set lo up", `link set ${name} up`, `addr add ${link.address}/24 dev ${name}`];
  lines.push(`route add default via ${link.router}`);
  if (link.address6 !== undefined) {
    lines.push(`addr add ${link.address6}/64 dev ${name}`, `route add default via ${link.router6}`);
  }
  return NO_DAD + ip(lines);
}

/** Configures the router's end; may be run again. */
export function peerScript(link: Link): string {
  const { interface: name, routed } = link.peer;
  if (routed !== name) return ip([`link set ${name} master ${routed} up`]);
  const lines = [`link set ${name} up`, `addr replace ${link.router}/24 dev ${name}`];
  if (link.router6 !== undefined) {
    lines.push(`addr replace ${link.router6}/64 dev ${name}`);
    if (link.delegated6 !== undefined) lines.push(`route replace ${link.delegated6}::/64 via ${link.address6}`);
  }
  return ip(lines);
}

/** A machine's end of a cable, with the IPv4 address that it has at present. */
export class Plug {
  readonly link: Link;
  readonly #namespace: string;
  readonly #interface: string;
  #address: string;

  constructor(namespace: string, name: string, link: Link) {
    this.link = link;
    this.#namespace = namespace;
    this.#interface = name;
    this.#address = link.address;
  }

  get address(): string {
    return this.#address;
  }

  /** Gives the interface another IPv4 address. One outside the router's /24 gets a route of its own. */
  async setAddress(address: string): Promise<void> {
    const old = this.#address;
    this.#address = address;
    const { router } = this.link;
    await shell(
      ip([
        `addr del ${old}/${this.#prefixLength(old)} dev ${this.#interface}`,
        `addr add ${address}/${this.#prefixLength(address)} dev ${this.#interface}`,
        ...(this.#prefixLength(address) === 32 ? [`route add ${router}/32 dev ${this.#interface}`] : []),
        `route replace default via ${router}`,
      ]),
      this.#namespace,
    );
    await this.#route(`route del ${old}/32`, old);
    await this.#route(`route replace ${address}/32`, address);
  }

  /** Pulls the cable: the interface has no carrier, its address stays. */
  async unplug(): Promise<void> {
    await shell(ip([`link set ${this.link.peer.interface} down`]), this.link.peer.namespace);
  }

  async replug(): Promise<void> {
    await shell(peerScript(this.link), this.link.peer.namespace);
    await this.#route(`route replace ${this.#address}/32`, this.#address);
  }

  /** The router's own route to an address outside its /24. */
  async #route(command: string, address: string): Promise<void> {
    if (this.#prefixLength(address) === 24) return;
    await shell(ip([`${command} dev ${this.link.peer.routed}`]), this.link.peer.namespace);
  }

  #prefixLength(address: string): 24 | 32 {
    const prefix = this.link.router.slice(0, this.link.router.lastIndexOf(".") + 1);
    return address.startsWith(prefix) ? 24 : 32;
  }
}

/** The next address of the same /24. */
export function nextAddress(address: string): string {
  return address.replace(/\d+$/, (last) => String(Number(last) + 1));
}
