import type { Clock } from "../net/clock.ts";
import type { DiscoveryEvents, DiscoveryRound } from "./discovery.ts";
import { interfacesToRouters, type LocalInterface } from "./interfaces.ts";
import type { KnownRouters } from "./journal/known-routers.ts";
import { PortControlDiscovery } from "./port-control-discovery.ts";
import type { Via } from "./types.ts";
import { UpnpDiscovery } from "./upnp/discovery.ts";

export interface DiscoverOptions {
  via?: readonly Via[] | undefined;
  interfaces?: readonly LocalInterface[] | undefined;
  clock: Clock;
  random: () => number;
  /** Routers met before. */
  knownRouters?: KnownRouters | undefined;
  /** Where gateways listen, for tests: default 1900 and 5351. */
  ports?: { ssdp?: number; portControl?: number } | undefined;
}

/** Searches by every protocol on every interface at once. */
export function discoverGateways(
  { via = ["pcp", "nat-pmp", "upnp"], interfaces, clock, random, knownRouters, ports }: DiscoverOptions,
  events: DiscoveryEvents,
): DiscoveryRound {
  const searches: (Disposable & { settled: Promise<void> })[] = [];
  let disposed = false;
  const begin = async (): Promise<void> => {
    const usable = interfaces ?? (await interfacesToRouters());
    if (disposed) return;
    if (usable.length === 0) {
      events.onFinding({
        step: "interfaces",
        outcome: "absent",
        reason: "this computer has no network address: connect it to a network",
      });
      return;
    }
    if (via.includes("pcp") || via.includes("nat-pmp")) {
      searches.push(
        new PortControlDiscovery({ interfaces: usable, via, clock, random, port: ports?.portControl }, events),
      );
    }
    if (via.includes("upnp"))
      searches.push(
        new UpnpDiscovery(
          { interfaces: usable, clock, hasCompany: searches.length > 0, knownRouters, port: ports?.ssdp },
          events,
        ),
      );
    await Promise.all(searches.map(({ settled }) => settled));
  };
  const settled = begin();
  return {
    settled,
    async [Symbol.asyncDispose]() {
      disposed = true;
      for (const search of searches) search[Symbol.dispose]();
      await settled;
    },
  };
}
