import { expect, test } from "vitest";
import { whyNotPublic } from "../../../sdk/src/gateway/external-address.ts";
import { parseProcNetIpv6Route, parseProcNetRoute, usableInterfaces } from "../../../sdk/src/gateway/interfaces.ts";

const ROUTES = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0102A8C0	0003	0	0	600	00000000	0	0	0
eth0	00000000	0101A8C0	0003	0	0	100	00000000	0	0	0
eth0	0001A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
tun0	00000000	00000000	0001	0	0	50	00000000	0	0	0
`;
const ROUTES6 = `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

test("Linux' default routes, best first", () => {
  expect(parseProcNetRoute(ROUTES)).toEqual([
    { interfaceName: "eth0", gateway: "192.168.1.1", metric: 100 },
    { interfaceName: "wlan0", gateway: "192.168.2.1", metric: 600 },
  ]);
  expect(parseProcNetIpv6Route(ROUTES6)).toEqual([{ interfaceName: "eth0", gateway: "fe80::1", metric: 1024 }]);
  expect(parseProcNetRoute("")).toEqual([]);
  expect(parseProcNetRoute("x\ny z\n")).toEqual([]);
});

test("interfaces: no loopback, no link-local, no containers; the default route first", () => {
  const address = (text: string, cidr: string, internal = false): never =>
    ({
      address: text,
      netmask: "",
      family: text.includes(":") ? "IPv6" : "IPv4",
      mac: "",
      internal,
      cidr,
      scopeid: 0,
    }) as never;
  const list = {
    lo: [address("127.0.0.1", "127.0.0.1/8", true)],
    docker0: [address("172.17.0.1", "172.17.0.1/16")],
    wlan0: [address("192.168.2.5", "192.168.2.5/24"), address("fe80::5", "fe80::5/64")],
    eth1: [address("169.254.3.4", "169.254.3.4/16")],
    eth0: [address("192.168.1.5", "192.168.1.5/24"), address("2a11::5", "2a11::5/64")],
  };
  const routes = [...parseProcNetRoute(ROUTES), ...parseProcNetIpv6Route(ROUTES6)];
  expect(usableInterfaces(routes, list).map((each) => [each.name, each.address, each.gateway])).toEqual([
    ["eth0", "192.168.1.5", "192.168.1.1"],
    ["wlan0", "192.168.2.5", "192.168.2.1"],
    ["eth0", "2a11::5", "fe80::1"],
  ]);
  // A tunnel is used when the default route goes through it.
  const viaTunnel = [{ interfaceName: "docker0", gateway: "172.17.0.254", metric: 0 }];
  expect(usableInterfaces(viaTunnel, list)[0]?.name).toBe("docker0");
});

test("external addresses that lead in from the internet, and why others do not", () => {
  for (const address of ["8.8.8.8", "11.0.1.2", "100.128.0.1", "172.32.0.1", "2a11:0:1::2"])
    expect(whyNotPublic(address), address).toBeUndefined();
  for (const address of [
    "10.1.2.3",
    "100.64.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "127.0.0.1",
    "169.254.1.1",
    "",
    "x",
    "::1",
    "fe80::1",
    "fd00::1",
    "2001:db8::1",
  ]) {
    expect(whyNotPublic(address), address).toMatch(/double NAT|carrier-grade/);
  }
  expect(whyNotPublic("100.64.0.1")).toMatch(/carrier-grade/);
  expect(whyNotPublic("192.168.0.1")).toMatch(/is private/);
  for (const none of ["", "x", "0.0.0.0", "255.255.255.255", "::"])
    expect(whyNotPublic(none), none).toMatch(/tells no external address/);
});
