/** What Windows' `ROUTE.EXE print` writes, in any language: numbers alone are read. */
import { addressBytes } from "./address.ts";
import { gatewayIn, linesOf, MAX_ROUTES, maskLength, partOfDefault, type Route, wordsOf } from "./route.ts";

const NUMBER = /^\d{1,10}$/;
/** What stands for the metric of a persistent IPv6 route, whose interface is 0. */
const NO_METRIC = 0xffff_ffff;

/**
 * Both families:
 *
 *     Network Destination        Netmask          Gateway       Interface  Metric
 *               0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
 *
 *      If Metric Network Destination      Gateway
 *       9    271 ::/0                     fe80::a62b:b0ff:fec1:2d3e
 *
 * The gateway of what is on the link is one or more words: `On-link`, `Auf Verbindung`. Persistent routes stand below in the same
 * columns, those of IPv4 without the interface: in use they stand above as well.
 */
export function parseRoutePrint(text: string): Route[] {
  const routes: Route[] = [];
  for (const line of linesOf(text)) {
    const words = wordsOf(line);
    const route = words[2]?.includes("/") ? readIPv6(words) : readIPv4(words);
    if (route !== undefined && routes.push(route) === MAX_ROUTES) break;
  }
  return routes;
}

function readIPv4(words: readonly string[]): Route | undefined {
  const [network = "", mask = ""] = words;
  const [own = "", metric = ""] = words.slice(-2);
  if (words.length < 5 || !NUMBER.test(metric)) return undefined;
  const [from, maskBytes, ownBytes] = [addressBytes(network), addressBytes(mask), addressBytes(own)];
  if (from?.length !== 4 || maskBytes?.length !== 4 || ownBytes?.length !== 4) return undefined;
  const destination = partOfDefault(from, maskLength(maskBytes));
  if (destination === undefined) return undefined;
  return {
    family: 4,
    destination,
    gateway: words.length === 5 ? gatewayIn(words[2] ?? "", 4) : undefined,
    through: { address: own },
    metric: Number(metric),
  };
}

function readIPv6([index = "", metric = "", prefix = "", ...gateway]: readonly string[]): Route | undefined {
  if (!NUMBER.test(index) || !NUMBER.test(metric) || gateway.length === 0) return undefined;
  if (Number(index) === 0 || Number(metric) === NO_METRIC) return undefined;
  const [network = "", length = ""] = prefix.split("/");
  const from = addressBytes(network);
  if (from?.length !== 16 || !NUMBER.test(length)) return undefined;
  const destination = partOfDefault(from, Number(length));
  if (destination === undefined) return undefined;
  return {
    family: 6,
    destination,
    gateway: gateway.length === 1 ? gatewayIn(gateway[0] ?? "", 6) : undefined,
    through: { index: Number(index) },
    metric: Number(metric),
  };
}
