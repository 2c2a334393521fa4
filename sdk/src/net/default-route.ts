import { createReadStream } from "node:fs";
import { endianness } from "node:os";
import { win32 } from "node:path";
import { text } from "node:stream/consumers";
import { isExhausted } from "./exhaustion.ts";
import { type Interfaces, readInterfaces } from "./interfaces.ts";
import { type Route, WHOLES } from "./route.ts";
import { parseNetstat } from "./route-table-bsd.ts";
import { parseProcNetIpv6Route, parseProcNetRoute } from "./route-table-linux.ts";
import { parseRoutePrint } from "./route-table-windows.ts";
import { toolOutput } from "./tool-output.ts";

/** How this machine reaches the internet: through which interface, and by which router. */
export interface DefaultRoute {
  readonly family: 4 | 6;
  readonly interfaceName: string;
  /** Without a zone; `undefined` where the interface itself leads there, as those of VPNs and PPP do. */
  readonly gateway: string | undefined;
  /** The lower one is used. */
  readonly metric: number;
}

/** Of a table in /proc: some 8000 routes. */
const MAX_TABLE_BYTES = 1 << 20;

/** As the system told them last. */
let known: DefaultRoute[] = [];

/**
 * The default routes of this machine, the used one of each family first. Empty where there are none, and where the system does not
 * tell; those last seen where it lacks the descriptors to tell. Never rejects; bounded by 2 s.
 */
export async function readDefaultRoutes(): Promise<DefaultRoute[]> {
  try {
    known = defaultRoutesOf(await readRoutes(process.platform), readInterfaces());
  } catch {
    // No descriptor is left: an old list keeps what runs.
  }
  return known;
}

/** The default routes in a table. Those through interfaces that are not there (any more) are left out. */
export function defaultRoutesOf(routes: readonly Route[], interfaces: Interfaces): DefaultRoute[] {
  const byMetric = routes.toSorted((a, b) => a.metric - b.metric);
  const found: (DefaultRoute & { rank: number })[] = [];
  const isThere = (name: string | undefined): name is string => name !== undefined && Object.hasOwn(interfaces, name);
  for (const [rank, whole] of WHOLES.entries()) {
    const [first = "", ...rest] = whole;
    for (const { family, destination, gateway, through, metric } of byMetric) {
      const interfaceName = nameOf(through, interfaces);
      if (destination !== first || !isThere(interfaceName)) continue;
      const isWhole = rest.every((part) =>
        byMetric.some(
          (other) =>
            other.destination === part &&
            other.gateway === gateway &&
            nameOf(other.through, interfaces) === interfaceName,
        ),
      );
      const isKnown = found.some(
        (other) => other.family === family && other.interfaceName === interfaceName && other.gateway === gateway,
      );
      if (isWhole && !isKnown) found.push({ family, interfaceName, gateway, metric, rank });
    }
  }
  found.sort((a, b) => a.family - b.family || a.rank - b.rank || a.metric - b.metric);
  return found.map(({ rank: _, ...route }) => route);
}

function nameOf(through: Route["through"], interfaces: Interfaces): string | undefined {
  if ("name" in through) return through.name;
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    for (const each of addresses) {
      if ("address" in through ? each.address === through.address : "scopeid" in each && each.scopeid === through.index)
        return name;
    }
  }
  return undefined;
}

async function readRoutes(platform: NodeJS.Platform): Promise<Route[]> {
  switch (platform) {
    case "linux":
    case "android": {
      const [four, six] = await Promise.all([readText("/proc/net/route"), readText("/proc/net/ipv6_route")]);
      return [...parseProcNetRoute(four, endianness() === "LE"), ...parseProcNetIpv6Route(six)];
    }
    case "win32": {
      const root = process.env["SystemRoot"] ?? "C:\\Windows";
      return parseRoutePrint(await toolOutput(win32.join(root, "System32", "ROUTE.EXE"), ["print"]));
    }
    case "darwin":
      return parseNetstat(await toolOutput("/usr/sbin/netstat", ["-rn"]));
    case "freebsd":
    case "netbsd":
    case "openbsd":
      return parseNetstat(await toolOutput("/usr/bin/netstat", ["-rn"]));
    case "aix":
    case "cygwin":
    case "haiku":
    case "sunos":
      return [];
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await text(createReadStream(path, { encoding: "latin1", end: MAX_TABLE_BYTES - 1 }));
  } catch (error) {
    if (isExhausted(error)) throw error;
    return "";
  }
}
