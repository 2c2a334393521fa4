import { addressBytes, formatAddress, fromMapped } from "./address.ts";

/** Bytes of an IPv6 address that one household commands (RFC 6177): its /64 at the least. */
const NETWORK_BYTES = 8;

/**
 * Under which name a limiter counts the sender at `address`: an IPv4 address is one caller, IPv4-mapped or not; an IPv6 caller has
 * its whole /64 to send from. Text that is no address counts as itself.
 */
export function callerKey(address: string): string {
  if (!address.includes(":")) return address;
  const bytes = addressBytes(address);
  if (bytes === undefined) return address;
  const own = fromMapped(bytes);
  return own.length === 4 ? formatAddress(own) : `${formatAddress(bytes.fill(0, NETWORK_BYTES))}/64`;
}
