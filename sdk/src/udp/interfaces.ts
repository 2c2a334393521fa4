import { withZone } from "../net/address.ts";
import { readInterfaces } from "../net/interfaces.ts";
import { zoneOf } from "../net/zone.ts";

/**
 * How dgram names the interface `name` for multicast: by its IPv4 address, or for IPv6 by its zone. `undefined`, for an
 * empty name, leaves the choice to the system; `null` when there is no such interface or it lacks the family.
 */
export function interfaceAddress(name: string, ipv6: boolean): string | undefined | null {
  if (name === "") return undefined;
  const addresses = readInterfaces()[name];
  const address = addresses?.find(({ family }) => family === (ipv6 ? "IPv6" : "IPv4"))?.address;
  if (address === undefined) return null;
  return ipv6 ? withZone("::", zoneOf(name)) : address;
}
