import { addressBytes, fromMapped } from "./address.ts";

/** `public` is dialable from the internet; `carrier-grade` is the space that a provider shares among many homes (RFC 6598). */
export type AddressScope =
  | "public"
  | "private"
  | "carrier-grade"
  | "link-local"
  | "loopback"
  | "multicast"
  | "documentation"
  | "reserved"
  | "invalid";

interface Block {
  readonly scope: AddressScope;
  readonly network: Uint8Array;
  readonly prefixLength: number;
}

function blocks(scope: AddressScope, ...ranges: string[]): Block[] {
  return ranges.map((range) => {
    const [address = "", prefixLength] = range.split("/");
    return { scope, network: addressBytes(address) ?? new Uint8Array(), prefixLength: Number(prefixLength) };
  });
}

/** The IANA special-purpose registries (RFC 6890). First match decides. */
const BLOCKS: readonly Block[] = [
  ...blocks("loopback", "127.0.0.0/8", "::1/128"),
  ...blocks("link-local", "169.254.0.0/16", "fe80::/10"),
  ...blocks("carrier-grade", "100.64.0.0/10"),
  ...blocks("private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
  // RFC 5737, RFC 3849 and RFC 9637.
  ...blocks("documentation", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
  ...blocks("multicast", "224.0.0.0/4", "ff00::/8"),
  ...blocks("reserved", "0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
  // All of IPv6 that is handed out is global unicast, 2000::/3.
  ...blocks("public", "2000::/3"),
  ...blocks("reserved", "::/0"),
];

/**
 * Which part of the address space `address` belongs to (RFC 6890); `invalid` for text that is no IP address. An IPv4-mapped address
 * belongs where its IPv4 address does.
 */
export function addressScope(address: string): AddressScope {
  const bytes = addressBytes(address);
  if (bytes === undefined) return "invalid";
  const own = fromMapped(bytes);
  return BLOCKS.find(({ network, prefixLength }) => hasPrefix(own, network, prefixLength))?.scope ?? "public";
}

/** Whether two addresses, as bytes, are of one family and begin with the same `prefixLength` bits. */
export function hasPrefix(bytes: Uint8Array, network: Uint8Array, prefixLength: number): boolean {
  if (bytes.length !== network.length) return false;
  const whole = prefixLength >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== network[i]) return false;
  const rest = prefixLength & 7;
  return rest === 0 || (((bytes[whole] ?? 0) ^ (network[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0;
}
