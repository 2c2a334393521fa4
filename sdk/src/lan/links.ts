/** Which interfaces lead to a local network, and who is near on them. */
import { BlockList, isIP } from "node:net";
import type { Interfaces } from "../net/interfaces.ts";
import { type AddressScope, addressScope } from "../udp/address-scope.ts";

/** An address of an interface. */
export interface Link {
  name: string;
  address: string;
  family: 4 | 6;
  prefixLength: number;
}

/**
 * The links of the interfaces that lead to a local network: one with a public IPv4 address, as a rented server has it, or one that a
 * provider shares among many homes (RFC 6598), leads to strangers, whatever else it has. Loopback too: two programs on a machine
 * without any network are neighbours.
 */
export function linksOf(interfaces: Interfaces): Link[] {
  const links: Link[] = [];
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    if (!isLocal(addresses.map(({ address }) => address))) continue;
    for (const { address, family, cidr } of addresses) {
      const prefixLength = Number(cidr?.split("/")[1] ?? (family === "IPv4" ? 32 : 128));
      if (family === "IPv4") links.push({ name, address, family: 4, prefixLength });
      else if (address.startsWith("fe80:")) links.push({ name, address, family: 6, prefixLength });
    }
  }
  return links;
}

const LOCAL: ReadonlySet<AddressScope> = new Set(["private", "link-local", "loopback"]);

/** Without IPv4 only link-local and unique local addresses (RFC 4193) tell a home from a rented server. */
function isLocal(addresses: readonly string[]): boolean {
  const ipv4 = addresses.filter((address) => isIP(address) === 4);
  return (ipv4.length > 0 ? ipv4 : addresses).every((address) => LOCAL.has(addressScope(address)));
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
    // However wide somebody made the network's mask: no public address is a neighbour.
    if (!LOCAL.has(addressScope(bare))) return false;
    return near.check(bare, bare.includes(":") ? "ipv6" : "ipv4");
  };
}
