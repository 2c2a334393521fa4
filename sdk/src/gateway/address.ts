import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

/** IPv4 blocks that are not reachable from the internet: IANA's special-purpose registry (RFC 6890). */
const RESERVED_4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

const reserved = new BlockList();
for (const [net, prefix] of RESERVED_4) reserved.addSubnet(net, prefix, "ipv4");

const global6 = new BlockList();
global6.addSubnet("2000::", 3, "ipv6");
const documentation6 = new BlockList();
documentation6.addSubnet("2001:db8::", 32, "ipv6");

const carrierGrade = new BlockList();
carrierGrade.addSubnet("100.64.0.0", 10, "ipv4");

/** Whether the address can be reached from the internet, as far as the address itself tells. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !reserved.check(address, "ipv4");
  return isIPv6(address) && global6.check(address, "ipv6") && !documentation6.check(address, "ipv6");
}

/** Shared address space of carrier-grade NAT (RFC 6598). */
function isCarrierGradeAddress(address: string): boolean {
  return isIPv4(address) && carrierGrade.check(address, "ipv4");
}

/** An address that somebody could hold: not unspecified, broadcast or multicast. */
function isAssignedAddress(address: string): boolean {
  if (isIPv4(address)) {
    const first = Number(address.slice(0, address.indexOf(".")));
    return first !== 0 && first < 224;
  }
  return isIPv6(address) && address !== "::" && !address.toLowerCase().startsWith("ff");
}

/** Whether `address` stands on the same link as an interface with `own` and `prefixLength`. */
export function isOnLink(address: string, own: string, prefixLength: number): boolean {
  const bare = address.split("%", 1)[0] ?? "";
  const family = isIP(bare);
  if (family === 0 || family !== isIP(own)) return false;
  if (family === 6 && bare.toLowerCase().startsWith("fe80:")) return true;
  const subnet = new BlockList();
  subnet.addSubnet(own, prefixLength, family === 4 ? "ipv4" : "ipv6");
  return subnet.check(bare, family === 4 ? "ipv4" : "ipv6");
}

/** The prefix length in `cidr` ("192.168.1.5/24"); a whole address where it is absent. */
export function prefixOf(cidr: string | null, family: 4 | 6): number {
  const whole = family === 4 ? 32 : 128;
  const length = Number(cidr?.split("/")[1] ?? whole);
  return Number.isInteger(length) && length >= 0 && length <= whole ? length : whole;
}

/** Why an external address is no way in from the internet, in words for the person who hosts; `undefined` if it is one. */
export function whyNotPublic(address: string): string | undefined {
  if (isPublicAddress(address)) return undefined;
  if (address === "" || !isAssignedAddress(address)) {
    return (
      "the router tells no external address: it is not connected to the internet, or stands behind another NAT (double NAT). " +
      "Check its modem, or put one of the two routers into bridge mode"
    );
  }
  if (isCarrierGradeAddress(address)) {
    return (
      `the router's external address ${address} belongs to the provider's carrier-grade NAT: nobody outside can reach it. ` +
      "Ask the provider for a public IPv4 address, or use IPv6"
    );
  }
  return (
    `the router's external address ${address} is private: another NAT stands before it (double NAT). ` +
    "Put one of the two routers into bridge mode, or forward the port on the outer one too"
  );
}

/** The plain IPv4 address of a v4-mapped IPv6 one, as dual-stack sockets report it. */
export function normalizeAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
