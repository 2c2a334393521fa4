import type { DefaultRoute } from "./default-route.ts";
import { type Interfaces, readInterfaces } from "./interfaces.ts";
import { addressScope } from "./scope.ts";
import { prefixLengthOf } from "./subnet.ts";

/**
 * What an interface leads to, as far as its name, its addresses and the routes tell; the better ones first:
 * - `network`: a cable, a radio, a provider's PPP; or whatever the default route goes through
 * - `vpn`: a tunnel, on which friends may play (Tailscale, ZeroTier, Hamachi), or a provider who lets nobody in
 * - `link-local`: IPv4 without a DHCP server (RFC 3927), as on a cable between two computers
 * - `virtual`: a bridge for containers and virtual machines of this computer, behind which no player sits
 */
export type InterfaceKind = "network" | "vpn" | "link-local" | "virtual";

/** A unicast address of this machine that others may use. */
export interface UsableAddress {
  /** Of the interface, as in `os.networkInterfaces()`. */
  readonly name: string;
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefixLength: number;
  /** The default gateway that is reached through this interface, where there is one; without a zone. */
  readonly gateway: string | undefined;
  readonly kind: InterfaceKind;
  /** Whether a default route goes through this interface. */
  readonly isDefault: boolean;
}

const KINDS: readonly InterfaceKind[] = ["network", "vpn", "link-local", "virtual"];

/** Tunnels, by the names that systems and VPN programs give them. */
const VPN = new RegExp(
  [
    // Linux, macOS and the BSDs.
    "^(?:tun|tap|utun|wg|tailscale|zt[0-9a-z]{8}$|feth\\d|ham\\d|ppp|ipsec|nordlynx|nordtun|proton|mullvad|cscotun|gpd\\d|vpn)",
    // Windows: what its list of connections shows.
    "^(?:ZeroTier|Hamachi|Radmin|Surfshark|ExpressVPN|Windscribe|CyberGhost|WireGuard|SoftEther|CloudflareWARP|Fortinet)",
    "OpenVPN|Wintun|TAP-Windows|AnyConnect|GlobalProtect|VPN$",
  ].join("|"),
  "i",
);

/** Bridges and pairs for what runs inside this computer. */
const VIRTUAL = new RegExp(
  [
    // Docker, Podman, Kubernetes, LXC, Incus, systemd-nspawn, libvirt. (`br0` and `br-lan` are networks.)
    "^(?:docker|br-[0-9a-f]{12}$|veth|podman|nerdctl|cni|cbr|flannel|cali|cilium|weave|kube-|lxc|lxdbr|incusbr|ve-|vb-|virbr|vnet\\d)",
    // VirtualBox and VMware; macOS' bridges for virtual machines, and AirDrop.
    "^(?:vboxnet|vmnet|vmenet|bridge1\\d\\d|awdl|llw)",
    // Windows: Hyper-V's switches (also WSL's and Docker's), VirtualBox, VMware.
    "^(?:vEthernet|VirtualBox|VMware)",
  ].join("|"),
  "i",
);

/**
 * Every address of this machine under which others may reach it, best first: networks before tunnels before the computer's own
 * bridges, and among those of a kind the one that the default route takes. No loopback, and no link-local IPv6, which cannot be named
 * without a zone. A name proves nothing, so none is left out for its name: see {@link reachableAddresses}, {@link addressesToRouters}.
 */
export function usableInterfaces(
  routes: readonly DefaultRoute[] = [],
  interfaces: Interfaces = readInterfaces(),
): UsableAddress[] {
  const found: UsableAddress[] = [];
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    const isDefault = routes.some(({ interfaceName }) => interfaceName === name);
    for (const { address, family: familyName, internal, cidr } of addresses) {
      const scope = addressScope(address);
      if (internal || scope === "loopback" || scope === "invalid") continue;
      const family = familyName === "IPv4" ? 4 : 6;
      if (scope === "link-local" && family === 6) continue;
      const own = routes.filter((route) => route.interfaceName === name && route.family === family);
      found.push({
        name,
        address,
        family,
        prefixLength: prefixLengthOf(cidr, family),
        gateway: own.find(({ gateway }) => gateway !== undefined)?.gateway,
        kind: scope === "link-local" ? "link-local" : kindOf(name, isDefault),
        isDefault,
      });
    }
  }
  const rank = (each: UsableAddress): number => {
    const index = routes.findIndex((route) => route.interfaceName === each.name && route.family === each.family);
    return KINDS.indexOf(each.kind) * (routes.length + 1) + (index < 0 ? routes.length : index);
  };
  return found.sort((a, b) => rank(a) - rank(b));
}

/** What an interface is by its name alone, and by whether the default route goes through it: a switch may be the way out. */
export function kindOf(name: string, isDefault: boolean): InterfaceKind {
  if (VPN.test(name)) return "vpn";
  return VIRTUAL.test(name) && !isDefault ? "virtual" : "network";
}

/**
 * The addresses that are worth telling to players: those of networks and tunnels. Only where there are none, the next best: a
 * machine's only address is never lost.
 */
export function reachableAddresses(usable: readonly UsableAddress[] = usableInterfaces()): UsableAddress[] {
  const best = usable.filter(({ kind }) => kind === "network" || kind === "vpn");
  if (best.length > 0) return best;
  const [next] = usable;
  return usable.filter(({ kind }) => kind === next?.kind);
}

/**
 * The addresses through which a home router may be met: those of networks, and of tunnels that are the default route. All of them
 * while no default route is known, since then names alone would decide; and all where nothing else is left.
 */
export function addressesToRouters(usable: readonly UsableAddress[]): UsableAddress[] {
  const isRouteKnown = usable.some(({ isDefault }) => isDefault);
  const best = usable.filter(({ kind, isDefault }) => kind === "network" || isDefault);
  return isRouteKnown && best.length > 0 ? best : [...usable];
}
