import { addressBytes, fromMapped } from "./address.ts";
import { addressScope, hasPrefix } from "./scope.ts";

/** Whether two addresses are of one family and share their first `prefixLength` bits. */
export function sharesPrefix(one: string, other: string, prefixLength: number): boolean {
  const [a, b] = [addressBytes(one), addressBytes(other)];
  return a !== undefined && b !== undefined && hasPrefix(fromMapped(a), fromMapped(b), prefixLength);
}

/** Whether `address` is on the link of an interface with the address `own`. A link-local IPv6 address is, for who hears it. */
export function isOnLink(address: string, own: string, prefixLength: number): boolean {
  if (sharesPrefix(address, own, prefixLength)) return true;
  return own.includes(":") && address.includes(":") && addressScope(address) === "link-local";
}

/** The prefix length in `cidr` (`192.168.1.5/24`); a whole address where it is absent. */
export function prefixLengthOf(cidr: string | null, family: 4 | 6): number {
  const whole = family === 4 ? 32 : 128;
  const length = Number(cidr?.split("/")[1] ?? whole);
  return Number.isInteger(length) && length >= 0 && length <= whole ? length : whole;
}
