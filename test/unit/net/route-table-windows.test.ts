import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultRoutesOf } from "../../../sdk/src/net/default-route.ts";
import { parseRoutePrint } from "../../../sdk/src/net/route-table-windows.ts";
import { addressesToRouters, reachableAddresses, usableInterfaces } from "../../../sdk/src/net/usable-interfaces.ts";
import { machine } from "./machines.ts";

/** As the tool writes it: other line ends, and bytes of a code page read one by one. */
const table = (text: string): string => text.replaceAll("\n", "\r\n");

const INTERFACES = machine(
  {
    Ethernet: ["192.168.1.100/24", "2a02:8071:1::64/64", "fe80::1c2d:3e4f:5a6b:7c8d/64"],
    WLAN: ["192.168.2.50/24", "fe80::aaaa:bbbb:cccc:dddd/64"],
    "vEthernet (WSL)": ["172.20.192.1/20", "fe80::1111:2222:3333:4444/64"],
    "Loopback Pseudo-Interface 1": ["127.0.0.1/8", "::1/128"],
  },
  { Ethernet: 9, WLAN: 15, "vEthernet (WSL)": 23 },
);

const ENGLISH = table(`===========================================================================
Interface List
  9...b8 31 b5 92 21 31 ......Intel(R) Ethernet Connection I217-V
 15...b8 31 b5 92 21 32 ......Intel(R) Wi-Fi 6 AX200 160MHz
  1...........................Software Loopback Interface 1
 23...00 15 5d f7 fa ce ......Hyper-V Virtual Ethernet Adapter
===========================================================================

IPv4 Route Table
===========================================================================
Active Routes:
Network Destination        Netmask          Gateway       Interface  Metric
          0.0.0.0          0.0.0.0      192.168.2.1     192.168.2.50     50
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
        127.0.0.0        255.0.0.0         On-link         127.0.0.1    331
        127.0.0.1  255.255.255.255         On-link         127.0.0.1    331
     172.20.192.0    255.255.240.0         On-link      172.20.192.1   5256
      192.168.1.0    255.255.255.0         On-link     192.168.1.100    281
    192.168.1.100  255.255.255.255         On-link     192.168.1.100    281
        224.0.0.0        240.0.0.0         On-link         127.0.0.1    331
  255.255.255.255  255.255.255.255         On-link     192.168.1.100    281
===========================================================================
Persistent Routes:
  Network Address          Netmask  Gateway Address  Metric
          0.0.0.0          0.0.0.0     192.168.1.77  Default
          0.0.0.0          0.0.0.0     192.168.1.78       1
===========================================================================

IPv6 Route Table
===========================================================================
Active Routes:
 If Metric Network Destination      Gateway
  9    271 ::/0                     fe80::a62b:b0ff:fec1:2d3e
  1    331 ::1/128                  On-link
  9    271 2a02:8071:1::/64         On-link
  9    271 2a02:8071:1:0:1c2d:3e4f:5a6b:7c8d/128
                                    On-link
  9    271 fe80::/64                On-link
  1    331 ff00::/8                 On-link
===========================================================================
Persistent Routes:
 If Metric Network Destination      Gateway
  0 4294967295 ::/0                     fe80::dead
===========================================================================
`);

const GERMAN = table(`===========================================================================
Schnittstellenliste
  9...b8 31 b5 92 21 31 ......Intel(R) Ethernet Connection I217-V
===========================================================================

IPv4-Routentabelle
===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
        127.0.0.0        255.0.0.0   Auf Verbindung         127.0.0.1    331
      192.168.1.0    255.255.255.0   Auf Verbindung     192.168.1.100    281
===========================================================================
St\x84ndige Routen:
  Keine

IPv6-Routentabelle
===========================================================================
Aktive Routen:
 If Metrik Netzwerkziel             Gateway
  9    271 ::/0                     fe80::a62b:b0ff:fec1:2d3e
  1    331 ::1/128                  Auf Verbindung
===========================================================================
St\x84ndige Routen:
  Keine
`);

/** Code page 932, byte by byte: 0xa0, a blank to JavaScript, may be half of a character. */
const JAPANESE = table(`===========================================================================
\x83C\x83\x93\x83^\x81[\x83t\x83F\x83C\x83X\x88\xea\x97\x97
  9...b8 31 b5 92 21 31 ......Intel(R) Ethernet Connection I217-V
===========================================================================

IPv4 \x83\x8b\x81[\x83g \x83e\x81[\x83u\x83\x8b
===========================================================================
\x83A\x83N\x83e\x83B\x83u \x83\x8b\x81[\x83g:
\x83l\x83b\x83g\x83\x8f\x81[\x83N\x88\xb6\x90\xe6        \x83l\x83b\x83g\x83}\x83X\x83N          \x83Q\x81[\x83g\x83E\x83F\x83C  \x83C\x83\x93\x83^\x81[\x83t\x83F\x83C\x83X  \x83\x81\x83g\x83\x8a\x83b\x83N
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
        127.0.0.0        255.0.0.0            \x83\x8a\x83\x93\x83N\x8f\xe3         127.0.0.1    331
          0.0.0.0          0.0.0.0            \x83\x8a\xa0\x93\x83N\x8f\xe3     192.168.2.50     99
===========================================================================
\x8c\xc5\x92\xe8\x83\x8b\x81[\x83g:
  \x82\xc8\x82\xb5

IPv6 \x83\x8b\x81[\x83g \x83e\x81[\x83u\x83\x8b
===========================================================================
\x83A\x83N\x83e\x83B\x83u \x83\x8b\x81[\x83g:
 If \x83\x81\x83g\x83\x8a\x83b\x83N \x83l\x83b\x83g\x83\x8f\x81[\x83N\x88\xb6\x90\xe6      \x83Q\x81[\x83g\x83E\x83F\x83C
  9    271 ::/0                     fe80::a62b:b0ff:fec1:2d3e
===========================================================================
\x8c\xc5\x92\xe8\x83\x8b\x81[\x83g:
  \x82\xc8\x82\xb5
`);

const ETHERNET_4 = { family: 4, interfaceName: "Ethernet", gateway: "192.168.1.1", metric: 25 };
const ETHERNET_6 = { family: 6, interfaceName: "Ethernet", gateway: "fe80::a62b:b0ff:fec1:2d3e", metric: 271 };
const WLAN_4 = { family: 4, interfaceName: "WLAN", gateway: "192.168.2.1", metric: 50 };

describe("Windows", () => {
  test("English: every default route, by metric; persistent ones are plans, not routes", () => {
    expect(parseRoutePrint(ENGLISH)).toHaveLength(3);
    expect(defaultRoutesOf(parseRoutePrint(ENGLISH), INTERFACES)).toEqual([ETHERNET_4, WLAN_4, ETHERNET_6]);
  });

  test("German: the word for on-link has a blank", () => {
    expect(defaultRoutesOf(parseRoutePrint(GERMAN), INTERFACES)).toEqual([ETHERNET_4, ETHERNET_6]);
  });

  test("Japanese, in bytes of a code page", () => {
    expect(defaultRoutesOf(parseRoutePrint(JAPANESE), INTERFACES)).toEqual([
      ETHERNET_4,
      { family: 4, interfaceName: "WLAN", gateway: undefined, metric: 99 },
      ETHERNET_6,
    ]);
  });

  test("the words are of no account: they may be those of any language", () => {
    const words = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/[\s\d]/.test(text));
    fc.assert(
      fc.property(fc.array(words, { minLength: 30, maxLength: 30 }), (other) => {
        let next = 0;
        const text = ENGLISH.replaceAll(/[A-Za-z]{3,}(?![\w:/])/g, () => other[next++ % 30] ?? "").replaceAll(
          "On-link",
          "On link",
        );
        expect(defaultRoutesOf(parseRoutePrint(text), INTERFACES)).toEqual([ETHERNET_4, WLAN_4, ETHERNET_6]);
      }),
    );
  });

  test("a VPN on top: two halves are used before the default route, which stays", () => {
    const interfaces = machine({ ...names(INTERFACES), "OpenVPN Wintun": ["10.8.0.2/24"] }, { Ethernet: 9 });
    const text = table(`Active Routes:
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
          0.0.0.0        128.0.0.0         10.8.0.1         10.8.0.2    281
        128.0.0.0        128.0.0.0         10.8.0.1         10.8.0.2    281
`);
    const routes = defaultRoutesOf(parseRoutePrint(text), interfaces);
    expect(routes.map(({ interfaceName, gateway }) => [interfaceName, gateway])).toEqual([
      ["OpenVPN Wintun", "10.8.0.1"],
      ["Ethernet", "192.168.1.1"],
    ]);
    // Routers are asked on both; players hear of the home's address first.
    const usable = usableInterfaces(routes, interfaces).filter(({ family }) => family === 4);
    expect(addressesToRouters(usable).map(({ name }) => name)).toEqual(["Ethernet", "WLAN", "OpenVPN Wintun"]);
    expect(reachableAddresses(usable).map(({ name }) => name)).toEqual(["Ethernet", "WLAN", "OpenVPN Wintun"]);
  });

  test("half a VPN is none", () => {
    const text = table(`          0.0.0.0        128.0.0.0         10.8.0.1    192.168.2.50    281
        128.0.0.0        128.0.0.0         10.8.0.9    192.168.2.50    281
`);
    expect(parseRoutePrint(text)).toHaveLength(2);
    expect(defaultRoutesOf(parseRoutePrint(text), INTERFACES)).toEqual([]);
  });

  test("a WireGuard tunnel that is the default route of both families has no gateways", () => {
    const interfaces = machine(
      { ...names(INTERFACES), home: ["10.66.66.2/32", "fe80::7/64"] },
      { Ethernet: 9, home: 40 },
    );
    const text = table(`          0.0.0.0          0.0.0.0         On-link        10.66.66.2      5
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
 40      5 ::/0                     On-link
  9    271 ::/0                     fe80::a62b:b0ff:fec1:2d3e
`);
    expect(defaultRoutesOf(parseRoutePrint(text), interfaces)).toEqual([
      { family: 4, interfaceName: "home", gateway: undefined, metric: 5 },
      ETHERNET_4,
      { family: 6, interfaceName: "home", gateway: undefined, metric: 5 },
      ETHERNET_6,
    ]);
  });

  test("IPv6 alone, and a zone that the table names is left out", () => {
    const text = table("  9    271 ::/0                     fe80::a62b:b0ff:fec1:2d3e%9\n");
    expect(defaultRoutesOf(parseRoutePrint(text), INTERFACES)).toEqual([ETHERNET_6]);
  });

  test("equal metrics: the table's order decides", () => {
    const text = table(`          0.0.0.0          0.0.0.0      192.168.2.1     192.168.2.50     25
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
`);
    expect(defaultRoutesOf(parseRoutePrint(text), INTERFACES).map(({ interfaceName }) => interfaceName)).toEqual([
      "WLAN",
      "Ethernet",
    ]);
  });

  test("two routers on one interface are two routes, one router twice is one", () => {
    const text = table(`          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     35
          0.0.0.0          0.0.0.0    192.168.1.254    192.168.1.100     30
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25
`);
    expect(defaultRoutesOf(parseRoutePrint(text), INTERFACES).map(({ gateway, metric }) => [gateway, metric])).toEqual([
      ["192.168.1.1", 25],
      ["192.168.1.254", 30],
    ]);
  });

  test("an interface that is not in the list has gone: no route", () => {
    expect(defaultRoutesOf(parseRoutePrint(ENGLISH), machine({ Ethernet: ["10.0.0.5/24"] }))).toEqual([]);
  });

  test("a Hyper-V external switch is the network when the default route goes through it", () => {
    const interfaces = machine({
      "vEthernet (External Switch)": ["192.168.1.100/24"],
      "vEthernet (WSL)": ["172.20.192.1/20"],
    });
    const routes = defaultRoutesOf(parseRoutePrint(GERMAN), interfaces);
    expect(addressesToRouters(usableInterfaces(routes, interfaces))).toEqual([
      {
        name: "vEthernet (External Switch)",
        address: "192.168.1.100",
        family: 4,
        prefixLength: 24,
        gateway: "192.168.1.1",
        kind: "network",
        isDefault: true,
      },
    ]);
    // While no route is known, no name is held against anybody.
    expect(addressesToRouters(usableInterfaces([], interfaces)).map(({ address }) => address)).toEqual([
      "192.168.1.100",
      "172.20.192.1",
    ]);
  });
});

describe("what is no table", () => {
  test("cut off anywhere: what is whole is read, and no number is shortened", () => {
    const whole = parseRoutePrint(ENGLISH);
    for (let end = 0; end <= ENGLISH.length; end++) {
      const routes = parseRoutePrint(ENGLISH.slice(0, end));
      expect(whole.slice(0, routes.length)).toEqual(routes);
    }
  });

  test.each([
    ["nothing", ""],
    ["an error", "The route table cannot be read.\r\n"],
    ["a metric that is none", "          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     x\r\n"],
    ["a metric beyond all", "          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     99999999999\r\n"],
    ["an interface that is none", "          0.0.0.0          0.0.0.0      192.168.1.1    Ethernet     25\r\n"],
    ["a mask with holes", "          0.0.0.0        0.255.0.0      192.168.1.1    192.168.1.100     25\r\n"],
    ["a leading zero", "         00.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25\r\n"],
    ["an interface 0", "  0    271 ::/0                     fe80::1\r\n"],
    ["a prefix that is none", "  9    271 ::/                      fe80::1\r\n"],
    ["a negative prefix", "  9    271 ::/-1                    fe80::1\r\n"],
  ])("%s", (_, text) => {
    expect(parseRoutePrint(text)).toEqual([]);
  });

  test("a flood of routes is cut", () => {
    const line = "          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.100     25\r\n";
    expect(parseRoutePrint(line.repeat(10_000))).toHaveLength(256);
  });

  test("any text: nothing throws, and what is read is within its ranges", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "0.0.0.0",
        "128.0.0.0",
        "::/0",
        "fe80::1",
        "192.168.1.100",
        "25",
        "\n",
        "\r\n",
        " ",
        "\t",
        "On-link",
        "=",
        "\0",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom("", " "), (pieces, between) => {
        for (const route of parseRoutePrint(pieces.join(between))) {
          expect(route.destination).toMatch(/^(?:0\.0\.0\.0|128\.0\.0\.0|::|8000::|2000::|3000::)\/[0134]$/);
          expect(route.metric).toBeLessThanOrEqual(9_999_999_999);
        }
        defaultRoutesOf(parseRoutePrint(pieces.join(between)), INTERFACES);
      }),
      { numRuns: 2000 },
    );
  });
});

function names(interfaces: typeof INTERFACES): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(interfaces).map(([name, list]) => [name, (list ?? []).map(({ cidr }) => cidr ?? "")]),
  );
}
