import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withZone } from "../../../sdk/src/net/address.ts";
import { defaultRoutesOf } from "../../../sdk/src/net/default-route.ts";
import { parseNetstat } from "../../../sdk/src/net/route-table-bsd.ts";
import { addressesToRouters, reachableAddresses, usableInterfaces } from "../../../sdk/src/net/usable-interfaces.ts";
import { zoneOf } from "../../../sdk/src/net/zone.ts";
import { machine } from "./machines.ts";

const INTERFACES = machine({
  lo0: ["127.0.0.1/8", "::1/128", "fe80::1/64"],
  en0: ["fe80::18a2:33ff:fe01:2/64", "192.168.1.42/24", "2a02:8071:1::42/64"],
  en7: ["192.168.1.43/24"],
  awdl0: ["fe80::a8aa:1/64"],
  utun0: ["fe80::1234/64"],
  utun3: ["10.8.0.6/24"],
  bridge100: ["192.168.64.1/24"],
});

/** Columns of macOS 10.15 and later. */
const MACOS = `Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
default            192.168.1.1        UGScIg                en7
127                127.0.0.1          UCS                   lo0
127.0.0.1          127.0.0.1          UH                    lo0
169.254            link#6             UCS                   en0      !
192.168.1          link#6             UCS                   en0      !
192.168.1.1/32     link#6             UCS                   en0      !
192.168.1.1        7c:ff:4d:12:34:56  UHLWIir               en0   1187
192.168.64         link#17            UC              bridge100      !
224.0.0/4          link#6             UmCS                  en0      !
255.255.255.255/32 link#6             UCS                   en0      !

Internet6:
Destination                             Gateway                                 Flags               Netif Expire
default                                 fe80::7eff:4dff:fe12:3456%en0           UGcg                  en0
default                                 fe80::%utun0                            UGcIg               utun0
::1                                     ::1                                     UHL                   lo0
2a02:8071:1::/64                        link#6                                  UC                    en0
fe80::%lo0/64                           fe80::1%lo0                             UcI                   lo0
fe80::1%lo0                             link#1                                  UHLI                  lo0
fe80::%en0/64                           link#6                                  UCI                   en0
ff00::/8                                ::1                                     UmCI                  lo0
ff01::%lo0/32                           ::1                                     UmCI                  lo0
`;

const EN0_4 = { family: 4, interfaceName: "en0", gateway: "192.168.1.1", metric: 0 };
const EN7_4 = { family: 4, interfaceName: "en7", gateway: "192.168.1.1", metric: 1 };
const EN0_6 = { family: 6, interfaceName: "en0", gateway: "fe80::7eff:4dff:fe12:3456", metric: 0 };

describe("macOS", () => {
  test("every default route; those of single interfaces (flag I) after the others", () => {
    expect(defaultRoutesOf(parseNetstat(MACOS), INTERFACES)).toEqual([EN0_4, EN7_4, EN0_6]);
  });

  test("gateways have no zone, so that an address gets one and never two", () => {
    const [, , six] = defaultRoutesOf(parseNetstat(MACOS), INTERFACES);
    const zone = zoneOf(six?.interfaceName ?? "", INTERFACES, "darwin");
    expect(withZone(six?.gateway ?? "", zone)).toBe("fe80::7eff:4dff:fe12:3456%en0");
  });

  test("its own tunnels and bridges are not taken for networks", () => {
    const usable = usableInterfaces(defaultRoutesOf(parseNetstat(MACOS), INTERFACES), INTERFACES);
    expect(usable.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "en0 network",
      "en7 network",
      "en0 network",
      "utun3 vpn",
      "bridge100 virtual",
    ]);
    expect(addressesToRouters(usable).map(({ address }) => address)).toEqual([
      "192.168.1.42",
      "192.168.1.43",
      "2a02:8071:1::42",
    ]);
    expect(reachableAddresses(usable).map(({ address }) => address)).toEqual([
      "192.168.1.42",
      "192.168.1.43",
      "2a02:8071:1::42",
      "10.8.0.6",
    ]);
  });

  test("the columns of older systems", () => {
    const text = `Internet:
Destination        Gateway            Flags        Refs      Use   Netif Expire
default            192.168.1.1        UGSc           20       16     en0
192.168.1          link#4             UCS             1        0     en0
`;
    expect(defaultRoutesOf(parseNetstat(text), INTERFACES)).toEqual([EN0_4]);
  });

  test("a VPN on top: two halves, shortened as the system does", () => {
    const text = `Internet:
Destination        Gateway            Flags               Netif Expire
0/1                10.8.0.1           UGScg               utun3
default            192.168.1.1        UGScg                 en0
128.0/1            10.8.0.1           UGSc                utun3

Internet6:
Destination                             Gateway                                 Flags               Netif Expire
::/1                                    fe80::%utun3                            UGSc                utun3
default                                 fe80::7eff:4dff:fe12:3456%en0           UGcg                  en0
8000::/1                                fe80::%utun3                            UGSc                utun3
`;
    expect(defaultRoutesOf(parseNetstat(text), INTERFACES)).toEqual([
      { family: 4, interfaceName: "utun3", gateway: "10.8.0.1", metric: 0 },
      EN0_4,
      { family: 6, interfaceName: "utun3", gateway: undefined, metric: 0 },
      EN0_6,
    ]);
  });

  test("a tunnel that is the default route is on the link", () => {
    for (const gateway of ["link#21", "utun3", "7c:ff:4d:12:34:56"]) {
      const text = `Internet:
Destination        Gateway            Flags               Netif Expire
default            ${gateway.padEnd(18)} UCSg                utun3
`;
      expect(defaultRoutesOf(parseNetstat(text), INTERFACES)).toEqual([
        { family: 4, interfaceName: "utun3", gateway: undefined, metric: 0 },
      ]);
    }
  });

  test("rejected, dropped and host routes are none, and neither is loopback", () => {
    const text = `Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGSR                  en0
default            192.168.1.1        UGSB                  en0
default            192.168.1.1        GSc                   en0
0/1                192.168.1.1        UGHS                  en0
default            127.0.0.1          UGS                   lo0
`;
    expect(parseNetstat(text)).toEqual([]);
  });
});

test("OpenBSD's and FreeBSD's columns", () => {
  const openbsd = `Routing tables

Internet:
Destination        Gateway            Flags   Refs      Use   Mtu  Prio Iface
default            192.168.1.1        UGS        5       33     -     8 en0
224/4              127.0.0.1          URS        0        0 32768     8 lo0
`;
  expect(defaultRoutesOf(parseNetstat(openbsd), INTERFACES)).toEqual([EN0_4]);
  const freebsd = `Internet:
Destination        Gateway            Flags   Nhop#    Mtu    Netif Expire
default            192.168.1.1        UGS         3   1500      en0
`;
  expect(defaultRoutesOf(parseNetstat(freebsd), INTERFACES)).toEqual([EN0_4]);
});

describe("what is no table", () => {
  test.each([
    ["nothing", ""],
    [
      "no title",
      "Destination        Gateway            Flags Netif Expire\ndefault            192.168.1.1        UGScg en0\n",
    ],
    ["no columns", "Internet:\ndefault            192.168.1.1        UGScg en0\n"],
    ["another family", "AppleTalk:\nDestination Gateway Flags Netif\ndefault 192.168.1.1 UGS en0\n"],
    [
      "no flags",
      "Internet:\nDestination        Gateway            Flags Netif Expire\ndefault            192.168.1.1\n",
    ],
  ])("%s", (_, text) => {
    expect(parseNetstat(text)).toEqual([]);
  });

  test("cut off anywhere: what is whole is read", () => {
    const whole = parseNetstat(MACOS);
    for (let end = 0; end <= MACOS.length; end++) {
      const routes = parseNetstat(MACOS.slice(0, end));
      expect(whole.slice(0, routes.length)).toEqual(routes);
    }
  });

  test("any text: nothing throws", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "Internet:\n",
        "Internet6:\n",
        "Destination Gateway Flags Netif\n",
        "default",
        "0/1",
        "::/0",
        "192.168.1.1",
        "UGS",
        "en0",
        "\n",
        " ",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom("", " "), (pieces, between) => {
        for (const { destination } of parseNetstat(pieces.join(between)))
          expect(destination).toMatch(/^(?:0\.0\.0\.0|128\.0\.0\.0|::|8000::|2000::|3000::)\/[0134]$/);
      }),
      { numRuns: 2000 },
    );
  });
});
