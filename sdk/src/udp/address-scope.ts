import { BlockList, isIP } from "node:net";

/** `public` is dialable from the internet; `carrier-grade` is RFC 6598's shared space 100.64/10. */
export type AddressScope = "public" | "private" | "carrier-grade" | "link-local" | "loopback" | "reserved" | "invalid";

function blocks(...ranges: string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", prefix = ""] = range.split("/");
    list.addSubnet(network, Number(prefix), network.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

// The IANA special-purpose registries (RFC 6890). First match decides.
const SCOPES: readonly (readonly [AddressScope, BlockList])[] = [
  ["loopback", blocks("127.0.0.0/8", "::1/128")],
  ["link-local", blocks("169.254.0.0/16", "fe80::/10")],
  ["carrier-grade", blocks("100.64.0.0/10")],
  ["private", blocks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")],
  [
    "reserved",
    blocks(
      "0.0.0.0/8",
      "192.0.0.0/24",
      "192.0.2.0/24",
      "192.88.99.0/24",
      "198.18.0.0/15",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "224.0.0.0/4",
      "240.0.0.0/4",
      "::/128",
      "100::/64",
      "2001:db8::/32",
      "3fff::/20",
      "ff00::/8",
    ),
  ],
];

/** Which part of the address space `address` belongs to (RFC 6890); `invalid` where it is no IP address. */
export function addressScope(address: string): AddressScope {
  const family = isIP(address);
  if (family === 0) return "invalid";
  for (const [scope, list] of SCOPES) if (list.check(address, family === 6 ? "ipv6" : "ipv4")) return scope;
  // All of IPv6 that is handed out is global unicast, 2000::/3.
  if (family === 6 && !/^[23]/.test(address)) return "reserved";
  return "public";
}
