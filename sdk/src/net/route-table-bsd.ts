/** What `netstat -rn` of macOS and the BSDs writes. */
import { addressBytes, withoutZone } from "./address.ts";
import { gatewayIn, linesOf, MAX_ROUTES, partOfDefault, type Route, wordsOf } from "./route.ts";

const FAMILIES: ReadonlyMap<string, 4 | 6> = new Map([
  ["Internet:", 4],
  ["Internet6:", 6],
]);
const DEFAULTS: Readonly<Record<4 | 6, string>> = { 4: "0.0.0.0/0", 6: "::/0" };
/** The names of the column in which the interface stands. */
const INTERFACE_COLUMNS: readonly string[] = ["Netif", "Iface", "Interface"];

/**
 * Each family under its title and a line with its columns' names, of which systems have more or fewer:
 *
 *     Internet6:
 *     Destination        Gateway            Flags               Netif Expire
 *     default            fe80::1%en0        UGcg                  en0
 *
 * The gateway of what is on the link is `link#6`, a hardware address, the interface, or a link-local address of zero. There are no
 * metrics; a route that is only used for what is sent from its own interface (flag I) counts for less.
 */
export function parseNetstat(text: string): Route[] {
  const routes: Route[] = [];
  let family: 4 | 6 | undefined;
  let columns: string[] = [];
  for (const line of linesOf(text)) {
    const words = wordsOf(line);
    if (words.length === 1 && words[0]?.endsWith(":")) {
      family = FAMILIES.get(words[0]);
      columns = [];
    } else if (words[0] === "Destination") {
      columns = words;
    } else if (family !== undefined) {
      const flags = words[columns.indexOf("Flags")] ?? "";
      const name = words[columns.findIndex((column) => INTERFACE_COLUMNS.includes(column))] ?? "";
      const route = readRoute(words, family, flags, name);
      if (route !== undefined && routes.push(route) === MAX_ROUTES) break;
    }
  }
  return routes;
}

function readRoute(words: readonly string[], family: 4 | 6, flags: string, name: string): Route | undefined {
  const [network = "", gateway = ""] = words;
  // Up; not rejected, not dropped (blackhole), not to one host.
  if (!/^[A-Za-z0-9]+$/.test(flags) || !flags.includes("U") || /[RBH]/.test(flags)) return undefined;
  if (name === "" || name === "lo0") return undefined;
  const destination = network === "default" ? DEFAULTS[family] : destinationIn(network, family);
  if (destination === undefined) return undefined;
  const next = gatewayIn(gateway, family);
  const isNobody = next === "fe80::" || next === "::";
  // macOS lays one over each of its own tunnels, behind which there is no internet.
  if (isNobody && flags.includes("I")) return undefined;
  return {
    family,
    destination,
    gateway: isNobody ? undefined : next,
    through: { name },
    metric: flags.includes("I") ? 1 : 0,
  };
}

/** `0/1`, `128.0/1`, `2000::/3`: zeros at the end of IPv4 are left out. */
function destinationIn(text: string, family: 4 | 6): string | undefined {
  const [network = "", length = ""] = text.split("/");
  if (!/^\d{1,3}$/.test(length)) return undefined;
  const whole = family === 6 ? withoutZone(network) : [...network.split("."), "0", "0", "0"].slice(0, 4).join(".");
  const bytes = addressBytes(whole);
  return bytes?.length === (family === 6 ? 16 : 4) ? partOfDefault(bytes, Number(length)) : undefined;
}
