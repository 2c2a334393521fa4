import { isIPv6 } from "node:net";

const MAPPED = "::ffff:";

/**
 * Under which name a limiter counts the sender at `address`: an IPv4 address is one caller, IPv4-mapped or not; an IPv6 caller has
 * its whole /64 to send from (RFC 6177). Text that is no address counts as itself.
 */
export function callerKey(address: string): string {
  if (address.startsWith(MAPPED) && address.includes(".")) return address.slice(MAPPED.length);
  const [bare = ""] = address.split("%", 1);
  if (!isIPv6(bare)) return address;
  const [head = "", tail = ""] = bare.split("::");
  const left = head.split(":").filter(Boolean);
  const right = tail.split(":").filter(Boolean);
  const zeros = bare.includes("::") ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0") : [];
  const network = [...left, ...zeros, ...right].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
