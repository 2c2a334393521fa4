import { addressBytes, canonicalAddress, formatAddress, fromMapped } from "./address.ts";
import { hasPrefix } from "./scope.ts";

/** Bytes of an IPv6 address that one household commands (RFC 6177): its /64 at the least. */
const NETWORK_BYTES = 8;
const LINK_LOCAL = Uint8Array.of(0xfe, 0x80);

/**
 * Under which name a limiter counts the sender at `address`: an IPv4 address is one caller, IPv4-mapped or not; an IPv6 caller has
 * its whole /64 to send from. Link-local addresses are neighbours that share one /64, so each is a caller of its own. Text that is
 * no address counts as itself.
 */
export function callerKey(address: string): string {
  if (!address.includes(":")) return address;
  const bytes = addressBytes(address);
  if (bytes === undefined) return address;
  if (hasPrefix(bytes.subarray(0, 2), LINK_LOCAL, 10)) return canonicalAddress(address) ?? address;
  const own = fromMapped(bytes);
  return own.length === 4 ? formatAddress(own) : `${formatAddress(bytes.fill(0, NETWORK_BYTES))}/64`;
}
