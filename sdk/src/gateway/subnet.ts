import { BlockList, isIP } from "node:net";

/** Whether `address` stands on the same link as an interface with `own` and `prefixLength`. */
export function isOnLink(address: string, own: string, prefixLength: number): boolean {
  const bare = address.split("%", 1)[0] ?? "";
  const family = isIP(bare);
  if (family === 0 || family !== isIP(own)) return false;
  if (family === 6 && bare.toLowerCase().startsWith("fe80:")) return true;
  const subnet = new BlockList();
  subnet.addSubnet(own, prefixLength, family === 4 ? "ipv4" : "ipv6");
  return subnet.check(bare, family === 4 ? "ipv4" : "ipv6");
}

/** The prefix length in `cidr` ("192.168.1.5/24"); a whole address where it is absent. */
export function prefixOf(cidr: string | null, family: 4 | 6): number {
  const whole = family === 4 ? 32 : 128;
  const length = Number(cidr?.split("/")[1] ?? whole);
  return Number.isInteger(length) && length >= 0 && length <= whole ? length : whole;
}
