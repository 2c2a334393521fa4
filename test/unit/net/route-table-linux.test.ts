import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultRoutesOf } from "../../../sdk/src/net/default-route.ts";
import { parseProcNetIpv6Route, parseProcNetRoute } from "../../../sdk/src/net/route-table-linux.ts";
import { machine } from "./machines.ts";

const HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const four = (...rows: string[]): string =>
  HEADER + rows.map((row) => `${row.trim().replaceAll(/\s+/g, "\t")}\t0\t0\t0${" ".repeat(20)}\n`).join("");

const INTERFACES = machine({
  lo: ["127.0.0.1/8", "::1/128"],
  eth0: ["192.168.1.5/24", "2a11::5/64", "fe80::5/64"],
  wlan0: ["192.168.2.5/24", "fe80::6/64"],
  tun0: ["10.8.0.2/24"],
});

const ROUTES = four(
  "wlan0 00000000 0102A8C0 0003 0 0 600 00000000",
  "eth0  00000000 0101A8C0 0003 0 0 100 00000000",
  "eth0  0001A8C0 00000000 0001 0 0 100 00FFFFFF",
);
const ROUTES_6 = `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

const ETH0_4 = { family: 4, interfaceName: "eth0", gateway: "192.168.1.1", metric: 100 };
const WLAN0_4 = { family: 4, interfaceName: "wlan0", gateway: "192.168.2.1", metric: 600 };
const ETH0_6 = { family: 6, interfaceName: "eth0", gateway: "fe80::1", metric: 1024 };

describe("Linux", () => {
  test("every default route, by metric", () => {
    const routes = [...parseProcNetRoute(ROUTES), ...parseProcNetIpv6Route(ROUTES_6)];
    expect(defaultRoutesOf(routes, INTERFACES)).toEqual([ETH0_4, WLAN0_4, ETH0_6]);
  });

  test("words of a big-endian processor", () => {
    const text = four("eth0 00000000 C0A80101 0003 0 0 100 00000000");
    expect(defaultRoutesOf(parseProcNetRoute(text, false), INTERFACES)).toEqual([ETH0_4]);
  });

  test("a tunnel or PPP without a gateway is a default route", () => {
    const text = four("tun0 00000000 00000000 0001 0 0 50 00000000", "eth0 00000000 0101A8C0 0003 0 0 100 00000000");
    expect(defaultRoutesOf(parseProcNetRoute(text), INTERFACES)).toEqual([
      { family: 4, interfaceName: "tun0", gateway: undefined, metric: 50 },
      ETH0_4,
    ]);
  });

  test("a VPN on top: two halves, whatever their metric, are used before the default route", () => {
    const text = four(
      "tun0 00000000 0100080A 0003 0 0 500 00000080",
      "eth0 00000000 0101A8C0 0003 0 0 100 00000000",
      "tun0 00000080 0100080A 0003 0 0 500 00000080",
    );
    expect(defaultRoutesOf(parseProcNetRoute(text), INTERFACES)).toEqual([
      { family: 4, interfaceName: "tun0", gateway: "10.8.0.1", metric: 500 },
      ETH0_4,
    ]);
  });

  test("IPv6: halves, global unicast (2000::/3), and its two halves", () => {
    const row = (destination: string, length: string): string =>
      `${destination.padEnd(32, "0")} ${length} ${"0".repeat(32)} 00 fe800000000000000000000000000009 00000400 00000001 00000000 00000003     wlan0\n`;
    const wlan0 = { family: 6, interfaceName: "wlan0", gateway: "fe80::9", metric: 1024 };
    for (const whole of [
      row("0", "01") + row("8", "01"),
      row("2", "03"),
      row("2", "04") + row("3", "04"),
      row("2", "03") + row("0", "01") + row("8", "01"),
    ]) {
      expect(defaultRoutesOf(parseProcNetIpv6Route(whole + ROUTES_6), INTERFACES)).toEqual([wlan0, ETH0_6]);
    }
    for (const part of [row("8", "01"), row("2", "04"), row("fc", "07")]) {
      expect(defaultRoutesOf(parseProcNetIpv6Route(part + ROUTES_6), INTERFACES)).toEqual([ETH0_6]);
    }
  });

  test("IPv6 alone", () => {
    expect(defaultRoutesOf([...parseProcNetRoute(HEADER), ...parseProcNetIpv6Route(ROUTES_6)], INTERFACES)).toEqual([
      ETH0_6,
    ]);
  });

  test("routes that are down or refuse are none", () => {
    const text = four("eth0 00000000 0101A8C0 0002 0 0 100 00000000", "eth0 00000000 0101A8C0 0203 0 0 100 00000000");
    expect(parseProcNetRoute(text)).toEqual([]);
  });
});

describe("what is no table", () => {
  test.each([
    ["nothing", ""],
    ["words", "x\ny z\n"],
    ["short words", four("eth0 0 0101A8C0 0003 0 0 100 0")],
    ["a mask with holes", four("eth0 00000000 0101A8C0 0003 0 0 100 00FF0000")],
    ["no metric", four("eth0 00000000 0101A8C0 0003 0 0 x 00000000")],
    ["a line that is not ended", four("eth0 00000000 0101A8C0 0003 0 0 100 00000000").trimEnd()],
  ])("IPv4: %s", (_, text) => {
    expect(parseProcNetRoute(text)).toEqual([]);
  });

  test("cut off anywhere: what is whole is read", () => {
    for (let end = 0; end <= ROUTES.length; end++) {
      const routes = parseProcNetRoute(ROUTES.slice(0, end));
      expect(parseProcNetRoute(ROUTES).slice(0, routes.length)).toEqual(routes);
    }
    for (let end = 0; end <= ROUTES_6.length; end++) {
      const routes = parseProcNetIpv6Route(ROUTES_6.slice(0, end));
      expect(parseProcNetIpv6Route(ROUTES_6).slice(0, routes.length)).toEqual(routes);
    }
  });

  test("any text: nothing throws", () => {
    const piece = fc.oneof(
      fc.constantFrom("eth0", "00000000", "0101A8C0", "0003", "0", "00", "0".repeat(32), "\n", "\t", " "),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom("", " "), (pieces, between) => {
        const text = pieces.join(between);
        for (const { destination } of [...parseProcNetRoute(text), ...parseProcNetIpv6Route(text)])
          expect(destination).toMatch(/^(?:0\.0\.0\.0|128\.0\.0\.0|::|8000::|2000::|3000::)\/[0134]$/);
      }),
      { numRuns: 2000 },
    );
  });
});
