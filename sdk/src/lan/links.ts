/** Which interfaces lead to a local network, and who is near on them. */
import { addressFamily } from "../net/address.ts";
import type { Interfaces } from "../net/interfaces.ts";
import { type AddressScope, addressScope } from "../net/scope.ts";
import { prefixLengthOf, sharesPrefix } from "../net/subnet.ts";
import { zoneOf } from "../net/zone.ts";

/** An address of an interface. */
export interface Link {
  name: string;
  /** Of link-local addresses on it. */
  zone: string;
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
    const zone = zoneOf(name, interfaces);
    const unique: Link[] = [];
    for (const { address, family, cidr } of addresses) {
      const prefixLength = prefixLengthOf(cidr, family === "IPv4" ? 4 : 6);
      if (family === "IPv4") links.push({ name, zone, address, family: 4, prefixLength });
      else if (address.startsWith("fe80:")) links.push({ name, zone, address, family: 6, prefixLength });
      // One of each network's: a computer takes several, which change (RFC 8981).
      else if (isUniqueLocal(address) && !unique.some((link) => sharesPrefix(address, link.address, prefixLength))) {
        unique.push({ name, zone, address, family: 6, prefixLength });
      }
    }
    links.push(...unique);
  }
  return links;
}

const LOCAL: ReadonlySet<AddressScope> = new Set(["private", "link-local", "loopback"]);

/** RFC 4193. On a network without IPv4 it is what a URL can name, since it needs no zone. */
const isUniqueLocal = (address: string): boolean => address.includes(":") && addressScope(address) === "private";

/** Without IPv4 only link-local and unique local addresses (RFC 4193) tell a home from a rented server. */
function isLocal(addresses: readonly string[]): boolean {
  const ipv4 = addresses.filter((address) => addressFamily(address) === 4);
  return (ipv4.length > 0 ? ipv4 : addresses).every((address) => LOCAL.has(addressScope(address)));
}

/**
 * Who is on a network of ours: a source far away was forged, or came through a router that forwards what it should not.
 */
export function neighbourhoodOf(links: Iterable<Omit<Link, "name" | "zone">>): (address: string) => boolean {
  const near = [...links];
  return (address) => {
    const scope = addressScope(address);
    if (address.includes(":") && scope === "link-local") return true;
    // However wide somebody made the network's mask: no public address is a neighbour.
    return LOCAL.has(scope) && near.some((link) => sharesPrefix(address, link.address, link.prefixLength));
  };
}
