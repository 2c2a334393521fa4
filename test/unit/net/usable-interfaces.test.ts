import { describe, expect, test } from "vitest";
import type { DefaultRoute } from "../../../sdk/src/net/default-route.ts";
import {
  addressesToRouters,
  kindOf,
  reachableAddresses,
  type UsableAddress,
  usableInterfaces,
} from "../../../sdk/src/net/usable-interfaces.ts";
import { zoneOf } from "../../../sdk/src/net/zone.ts";
import { machine } from "./machines.ts";

const route = (interfaceName: string, gateway: string | undefined, family: 4 | 6 = 4): DefaultRoute => ({
  family,
  interfaceName,
  gateway,
  metric: 0,
});
const shown = (usable: readonly UsableAddress[]): string[] => usable.map(({ name, address }) => `${name} ${address}`);

describe("what an interface is, by its name", () => {
  test.each([
    // Linux
    "eth0",
    "enp3s0",
    "enx0011223344aa",
    "wlan0",
    "wlp2s0",
    "wwan0",
    "usb0",
    "bond0",
    "eth0.100",
    "br0",
    "br-lan",
    "lan",
    "wan",
    // macOS
    "en0",
    "en7",
    "bridge0",
    // Windows, in several languages
    "Ethernet",
    "Ethernet 2",
    "Wi-Fi",
    "WLAN",
    "Local Area Connection* 10",
    "LAN-Verbindung",
    "Mobilfunk",
    "イーサネット",
    "以太网",
    "Connexion au réseau local",
    "Bluetooth Network Connection",
  ])("%s is a network", (name) => {
    expect(kindOf(name, false)).toBe("network");
    expect(kindOf(name, true)).toBe("network");
  });

  test.each([
    "tun0",
    "tap0",
    "utun4",
    "wg0",
    "wg-mullvad",
    "tailscale0",
    "Tailscale",
    "ztks5ua7vw",
    "ZeroTier One [8056c2e21c000001]",
    "feth2821",
    "ham0",
    "Hamachi",
    "Radmin VPN",
    "NordLynx",
    "nordlynx",
    "ProtonVPN",
    "proton0",
    "Mullvad",
    "OpenVPN Wintun",
    "OpenVPN TAP-Windows6",
    "CloudflareWARP",
    "ppp0",
    "ipsec0",
    "My VPN",
  ])("%s is a tunnel, also as the default route", (name) => {
    expect(kindOf(name, false)).toBe("vpn");
    expect(kindOf(name, true)).toBe("vpn");
  });

  test.each([
    "docker0",
    "docker_gwbridge",
    "br-0a1b2c3d4e5f",
    "veth1a2b3c4",
    "virbr0",
    "vnet3",
    "cni0",
    "flannel.1",
    "cali12ab34cd56e",
    "cilium_host",
    "kube-ipvs0",
    "lxcbr0",
    "lxdbr0",
    "incusbr0",
    "podman1",
    "vboxnet0",
    "vmnet8",
    "vmenet0",
    "bridge100",
    "awdl0",
    "llw0",
    "vEthernet (WSL)",
    "vEthernet (WSL (Hyper-V firewall))",
    "vEthernet (Default Switch)",
    "VirtualBox Host-Only Network #2",
    "VMware Network Adapter VMnet1",
  ])("%s belongs to this computer alone, unless the default route goes through it", (name) => {
    expect(kindOf(name, false)).toBe("virtual");
    expect(kindOf(name, true)).toBe("network");
  });
});

describe("one list for all", () => {
  const INTERFACES = machine({
    lo: ["127.0.0.1/8", "::1/128"],
    "vEthernet (WSL)": ["172.20.192.1/20"],
    tailscale0: ["100.101.102.103/32"],
    cali12: ["10.244.0.1/32"],
    eth1: ["169.254.3.4/16"],
    eth0: ["192.168.1.5/24", "2a11::5/64", "fe80::5/64"],
    wlan0: ["192.168.2.5/24"],
  });
  const ROUTES = [route("wlan0", "192.168.2.1"), route("eth0", "192.168.1.1"), route("eth0", "fe80::1", 6)];

  test("networks before tunnels before bridges, the default route's first, and none is lost", () => {
    expect(shown(usableInterfaces(ROUTES, INTERFACES))).toEqual([
      "wlan0 192.168.2.5",
      "eth0 192.168.1.5",
      "eth0 2a11::5",
      "tailscale0 100.101.102.103",
      "eth1 169.254.3.4",
      "vEthernet (WSL) 172.20.192.1",
      "cali12 10.244.0.1",
    ]);
  });

  test("players hear of networks and tunnels, routers are asked on networks", () => {
    const usable = usableInterfaces(ROUTES, INTERFACES);
    const networks = ["wlan0 192.168.2.5", "eth0 192.168.1.5", "eth0 2a11::5"];
    expect(shown(reachableAddresses(usable))).toEqual([...networks, "tailscale0 100.101.102.103"]);
    expect(shown(addressesToRouters(usable))).toEqual(networks);
  });

  test("each address has the gateway of its own family", () => {
    const [first, second, third] = usableInterfaces(ROUTES, INTERFACES);
    expect([first?.gateway, second?.gateway, third?.gateway]).toEqual(["192.168.2.1", "192.168.1.1", "fe80::1"]);
    expect([first?.prefixLength, third?.prefixLength]).toEqual([24, 64]);
  });

  test("while no route is known, routers are sought everywhere", () => {
    expect(addressesToRouters(usableInterfaces([], INTERFACES))).toHaveLength(7);
  });

  test("a tunnel that is the default route leads to a router too", () => {
    const usable = usableInterfaces([route("tailscale0", undefined), ...ROUTES], INTERFACES);
    expect(shown(addressesToRouters(usable)).at(-1)).toBe("tailscale0 100.101.102.103");
  });

  test("a bridge that is the default route is a network", () => {
    const interfaces = machine({ docker0: ["172.17.0.1/16"], eth0: ["192.168.1.5/24"] });
    const [first] = usableInterfaces([route("docker0", "172.17.0.254")], interfaces);
    expect(first).toMatchObject({ name: "docker0", kind: "network", isDefault: true, gateway: "172.17.0.254" });
  });

  test.each([
    ["a bridge", { lo: ["127.0.0.1/8"], "vEthernet (WSL)": ["172.20.192.1/20"] }, ["vEthernet (WSL) 172.20.192.1"]],
    ["a tunnel", { tun0: ["10.8.0.2/24"], docker0: ["172.17.0.1/16"] }, ["tun0 10.8.0.2"]],
    ["without a DHCP server", { eth0: ["169.254.3.4/16"], docker0: ["172.17.0.1/16"] }, ["eth0 169.254.3.4"]],
    ["nothing but loopback", { lo: ["127.0.0.1/8", "::1/128"] }, []],
    ["link-local IPv6", { eth0: ["fe80::5/64"] }, []],
  ])("the only address is never lost: %s", (_, interfaces, expected) => {
    expect(shown(reachableAddresses(usableInterfaces([], machine(interfaces))))).toEqual(expected);
  });

  test("the only address leads to routers, whatever its name, and whatever the default route", () => {
    const interfaces = machine({ docker0: ["172.17.0.1/16"], wg0: ["fe80::9/64"] });
    const usable = usableInterfaces([route("wg0", undefined, 6)], interfaces);
    expect(shown(addressesToRouters(usable))).toEqual(["docker0 172.17.0.1"]);
  });
});

test("the zone of an interface: its name, and on Windows its number", () => {
  const interfaces = machine(
    { "Ethernet 2": ["192.168.1.5/24", "2a11::5/64", "fe80::5/64"], old: ["10.0.0.1/8"] },
    { "Ethernet 2": 12 },
  );
  expect(zoneOf("Ethernet 2", interfaces, "win32")).toBe("12");
  expect(zoneOf("old", interfaces, "win32")).toBe("old");
  expect(zoneOf("eth0", interfaces, "linux")).toBe("eth0");
  expect(zoneOf("en0", interfaces, "darwin")).toBe("en0");
});
