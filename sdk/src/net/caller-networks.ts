import { addressBytes, formatAddress, fromMapped } from "./address.ts";
import { callerKey } from "./caller-key.ts";

/** A network that may hold more callers than one, and how many callers it passes for. */
export interface CallerNetwork {
  readonly key: string;
  readonly weight: number;
}

/**
 * The networks around a caller, the narrowest first. A limit that holds for each of them, with its weight, is not escaped by
 * somebody who commands a whole site (IPv6 /48, RFC 6177; IPv4 /24) or a provider's allocation (IPv6 /32). Text that is no address
 * has only itself.
 */
export function callerNetworks(address: string): CallerNetwork[] {
  const own = { key: callerKey(address), weight: 1 };
  const bytes = bytesOf(address);
  if (bytes === undefined) return [own];
  if (bytes.length === 4) return [own, { key: networkOf(bytes, 24), weight: 16 }];
  return [own, { key: networkOf(bytes, 48), weight: 16 }, { key: networkOf(bytes, 32), weight: 64 }];
}

/**
 * The network of these first bits around an address, as text to count by; for text that is no address, itself.
 * @param bits multiples of 8
 */
export function networkKey(address: string, bits: { ipv4: number; ipv6: number }): string {
  const bytes = bytesOf(address);
  return bytes === undefined ? address : networkOf(bytes, bytes.length === 4 ? bits.ipv4 : bits.ipv6);
}

function bytesOf(address: string): Uint8Array | undefined {
  const bytes = addressBytes(address);
  return bytes && fromMapped(bytes);
}

/** Of widths that shrink: the bytes behind each are gone for the next. */
function networkOf(bytes: Uint8Array, bits: number): string {
  return `${formatAddress(bytes.fill(0, bits >> 3))}/${bits}`;
}
