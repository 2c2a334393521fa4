/** Linux' tables, `/proc/net/route` and `/proc/net/ipv6_route` (net/ipv4/fib_trie.c, net/ipv6/route.c). */
import { formatAddress } from "./address.ts";
import { linesOf, MAX_ROUTES, maskLength, partOfDefault, type Route, wordsOf } from "./route.ts";

/** linux/route.h. */
const RTF_UP = 0x0001;
const RTF_GATEWAY = 0x0002;
const RTF_REJECT = 0x0200;

const WORD = /^[0-9a-f]{8}$/i;
const ADDRESS = /^[0-9a-f]{32}$/i;

/** Addresses are hexadecimal words in the order of the processor. */
export function parseProcNetRoute(text: string, littleEndian = true): Route[] {
  const address = (hex: string): Uint8Array => {
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    return littleEndian ? bytes.reverse() : bytes;
  };
  const routes: Route[] = [];
  for (const line of linesOf(text)) {
    const [name = "", destination = "", gateway = "", flags = "", , , metric = "", mask = ""] = wordsOf(line);
    if (![destination, gateway, mask].every((word) => WORD.test(word)) || !isUsed(flags)) continue;
    const wide = partOfDefault(address(destination), maskLength(address(mask)));
    if (wide === undefined || !/^\d{1,10}$/.test(metric)) continue;
    const isDirect = (Number.parseInt(flags, 16) & RTF_GATEWAY) === 0;
    routes.push({
      family: 4,
      destination: wide,
      gateway: isDirect ? undefined : formatAddress(address(gateway)),
      through: { name },
      metric: Number(metric),
    });
    if (routes.length === MAX_ROUTES) break;
  }
  return routes;
}

export function parseProcNetIpv6Route(text: string): Route[] {
  const address = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
  const routes: Route[] = [];
  for (const line of linesOf(text)) {
    const [destination = "", prefix = "", , , next = "", metric = "", , , flags = "", name = ""] = wordsOf(line);
    if (!ADDRESS.test(destination) || !ADDRESS.test(next) || !/^[0-9a-f]{2}$/i.test(prefix)) continue;
    // What is rejected is a route through `lo`.
    if (!isUsed(flags) || !WORD.test(metric) || name === "" || name === "lo") continue;
    const wide = partOfDefault(address(destination), Number.parseInt(prefix, 16));
    if (wide === undefined) continue;
    const isDirect = (Number.parseInt(flags, 16) & RTF_GATEWAY) === 0;
    routes.push({
      family: 6,
      destination: wide,
      gateway: isDirect ? undefined : formatAddress(address(next)),
      through: { name },
      metric: Number.parseInt(metric, 16),
    });
    if (routes.length === MAX_ROUTES) break;
  }
  return routes;
}

function isUsed(flags: string): boolean {
  const bits = /^[0-9a-f]{1,8}$/i.test(flags) ? Number.parseInt(flags, 16) : 0;
  return (bits & RTF_UP) !== 0 && (bits & RTF_REJECT) === 0;
}
