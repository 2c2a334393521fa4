import { isIPv4, isIPv6 } from "node:net";
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
  if (isIPv4(own.key)) return [own, { key: ipv4Network(own.key, 24), weight: 16 }];
  if (!readGroups(address)) return [own];
  return [own, { key: ipv6Network(48), weight: 16 }, { key: ipv6Network(32), weight: 64 }];
}

/**
 * The network of these first bits around an address, as text to count by; for text that is no address, itself.
 * @param bits a multiple of 8, of IPv6 a multiple of 16
 */
export function networkKey(address: string, bits: { ipv4: number; ipv6: number }): string {
  const ipv4 = callerKey(address);
  if (isIPv4(ipv4)) return ipv4Network(ipv4, bits.ipv4);
  return readGroups(address) ? ipv6Network(bits.ipv6) : address;
}

function ipv4Network(address: string, bits: number): string {
  return `${address.split(".", bits >> 3).join(".")}/${bits}`;
}

/** Of the address that was read last. */
function ipv6Network(bits: number): string {
  let text = "";
  for (let i = 0; i < bits >> 4; i++) text += `${groups[i]?.toString(16)}:`;
  return `${text}/${bits}`;
}

const groups = new Uint16Array(8);
const COLON = 0x3a;

/** Reads an IPv6 address into `groups`; false for other text, and for one that ends in an IPv4 address. */
function readGroups(address: string): boolean {
  const zone = address.indexOf("%");
  const text = zone < 0 ? address : address.slice(0, zone);
  if (text.includes(".") || !isIPv6(text)) return false;
  groups.fill(0);
  let at = 0;
  let gap = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== COLON) {
      const digit = code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57;
      groups[at] = (groups[at] ?? 0) * 16 + digit;
    } else if (text.charCodeAt(i + 1) === COLON) {
      at = i === 0 ? 0 : at + 1;
      gap = at;
      i++;
    } else {
      at++;
    }
  }
  if (gap < 0 || text.endsWith("::")) return true;
  // What stands behind the gap belongs at the end.
  const tail = at - gap + 1;
  groups.copyWithin(8 - tail, gap, gap + tail);
  groups.fill(0, gap, 8 - tail);
  return true;
}
