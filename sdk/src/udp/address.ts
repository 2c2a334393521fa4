import { isIP, SocketAddress } from "node:net";

import { normalizeAddress } from "./endpoint.ts";

/**
 * The one spelling of an address that the system uses for senders, so that addresses can be compared as text; `null`
 * for what is no address. Zones (`fe80::1%eth0`) are kept.
 */
export function canonicalAddress(address: string): string | null {
  const family = isIP(address);
  if (family === 0) return null;
  if (family === 4) return address;
  const [plain = "", zone] = address.split("%");
  const canonical = normalizeAddress(new SocketAddress({ address: plain, family: "ipv6" }).address);
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}
