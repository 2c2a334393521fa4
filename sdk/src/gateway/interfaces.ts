// oxlint-disable-next-line typescript/triple-slash-reference -- the package has no types, and an ambient module has no import
/// <reference path="./default-gateway.d.ts" />
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { type Interfaces, readInterfaces } from "../net/interfaces.ts";
import { prefixLengthOf } from "../net/subnet.ts";

/** An address of this machine through which a gateway may be asked. */
export interface LocalInterface {
  readonly name: string;
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefixLength: number;
  /** The default gateway that is reached through this interface, where there is one. */
  readonly gateway?: string | undefined;
}

/** A default route: which gateway, through which interface. */
export interface DefaultRoute {
  readonly interfaceName: string;
  readonly gateway: string;
  readonly metric: number;
}

/**
 * Interfaces that lead to no home router: containers, virtual machines' host networks, and tunnels, which would map a
 * port on the wrong side. One of them is still used when the default route goes through it.
 */
const VIRTUAL =
  /^(?:docker|br-|veth[0-9a-f]{7}|virbr|vmnet|vboxnet|vEthernet|cni|flannel|cali|lxc|lxdbr|tun|tap|utun|wg|tailscale|zt|ppp|ipsec|awdl|llw)/i;

/** What `os.networkInterfaces()` tells, reduced to the addresses through which gateways can be asked. */
export function usableInterfaces(
  routes: readonly DefaultRoute[],
  list: Interfaces = readInterfaces(),
): LocalInterface[] {
  const found: LocalInterface[] = [];
  for (const [name, addresses] of Object.entries(list)) {
    const route = routes.find((each) => each.interfaceName === name && isIPv4(each.gateway));
    const route6 = routes.find((each) => each.interfaceName === name && !isIPv4(each.gateway));
    if (!route && !route6 && VIRTUAL.test(name)) continue;
    for (const { address, family, internal, cidr } of addresses ?? []) {
      if (internal || address.startsWith("169.254.") || address.startsWith("fe80:")) continue;
      const number = family === "IPv4" ? 4 : 6;
      const gateway = number === 4 ? route?.gateway : route6?.gateway;
      found.push({ name, address, family: number, prefixLength: prefixLengthOf(cidr, number), gateway });
    }
  }
  // The way that traffic takes anyway comes first.
  const rank = (each: LocalInterface): number => {
    const index = routes.findIndex((route) => route.interfaceName === each.name && route.gateway === each.gateway);
    return index < 0 ? routes.length : index;
  };
  return found.sort((a, b) => rank(a) - rank(b));
}

/** Kernel flags of /proc/net/route (linux/route.h). */
const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;

/** Every IPv4 default route in the text of Linux' /proc/net/route: addresses are host-order hexadecimal words. */
export function parseProcNetRoute(text: string, littleEndian = true): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const line of text.split("\n").slice(1)) {
    const [interfaceName, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
    if (!interfaceName || destination !== "00000000" || mask !== "00000000" || !/^[0-9A-F]{8}$/i.test(gateway ?? ""))
      continue;
    const bits = Number.parseInt(flags ?? "0", 16);
    if ((bits & RTF_UP) === 0 || (bits & RTF_GATEWAY) === 0) continue;
    const bytes = [...Buffer.from(gateway ?? "", "hex")];
    if (littleEndian) bytes.reverse();
    routes.push({ interfaceName, gateway: bytes.join("."), metric: Number(metric) || 0 });
  }
  return routes.sort((a, b) => a.metric - b.metric);
}

/** Every IPv6 default route in the text of Linux' /proc/net/ipv6_route. */
export function parseProcNetIpv6Route(text: string): DefaultRoute[] {
  const routes: DefaultRoute[] = [];
  for (const line of text.split("\n")) {
    const [destination, prefix, , , next, metric, , , flags, interfaceName] = line.trim().split(/\s+/);
    if (!interfaceName || !/^0{32}$/.test(destination ?? "") || prefix !== "00" || !/^[0-9a-f]{32}$/.test(next ?? ""))
      continue;
    const bits = Number.parseInt(flags ?? "0", 16);
    if ((bits & RTF_UP) === 0 || (bits & RTF_GATEWAY) === 0 || interfaceName === "lo") continue;
    const gateway = (next?.match(/.{4}/g) ?? []).map((word) => Number.parseInt(word, 16).toString(16)).join(":");
    routes.push({ interfaceName, gateway: compress(gateway), metric: Number.parseInt(metric ?? "0", 16) });
  }
  return routes.sort((a, b) => a.metric - b.metric);
}

/** The canonical text of an IPv6 address, as sockets report it. */
function compress(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

/**
 * The default routes of this machine, best first. Linux tells all of them, per interface, in a file; elsewhere the
 * `default-gateway` package asks the system's own tool, which names one per family.
 */
export async function defaultRoutes(): Promise<DefaultRoute[]> {
  if (process.platform === "linux") {
    const [four, six] = await Promise.all([
      readFile("/proc/net/route", "latin1").catch(() => ""),
      readFile("/proc/net/ipv6_route", "latin1").catch(() => ""),
    ]);
    const routes = [...parseProcNetRoute(four), ...parseProcNetIpv6Route(six)];
    if (four !== "") return routes;
  }
  const lookup = await import("default-gateway");
  const routes: DefaultRoute[] = [];
  for (const ask of [lookup.gateway4async, lookup.gateway6async]) {
    const found = await ask().catch(() => undefined);
    if (found?.gateway) routes.push({ interfaceName: found.int ?? "", gateway: found.gateway, metric: 0 });
  }
  return routes;
}
