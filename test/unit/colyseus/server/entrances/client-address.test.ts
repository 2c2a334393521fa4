import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { clientNamedByProxy, isFromProxy } from "../../../../../sdk/src/colyseus/server/entrances/client-address.ts";

const request = (headers: Record<string, string>, remoteAddress = "127.0.0.1"): IncomingMessage =>
  ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage;

test.each([
  ["127.0.0.1", true],
  ["::1", true],
  ["::ffff:10.0.0.5", true],
  ["192.168.1.7", true],
  ["fd00::7", true],
  ["fe80::1%eth0", true],
  ["203.0.113.9", false],
  ["100.64.0.9", false],
  ["2a11::1", false],
  ["", false],
])("a proxy of ours may stand at %s: %s", (address, ours) => {
  expect(isFromProxy(request({}, address))).toBe(ours);
});

test.each([
  ["the only hop", { "x-forwarded-for": "203.0.113.9" }, "203.0.113.9"],
  ["the last hop, which the proxy wrote", { "x-forwarded-for": "1.2.3.4, 203.0.113.9" }, "203.0.113.9"],
  ["not a second proxy of ours", { "x-forwarded-for": "1.2.3.4, 203.0.113.9, 10.0.0.2" }, "203.0.113.9"],
  ["of this network, the last", { "x-forwarded-for": "192.168.1.9" }, "192.168.1.9"],
  ["with a port", { "x-forwarded-for": "203.0.113.9:4711" }, "203.0.113.9"],
  ["IPv6 in brackets", { "x-forwarded-for": "[2001:db8::9]:4711" }, "2001:db8::9"],
  ["a mapped address", { "x-forwarded-for": "::ffff:203.0.113.9" }, "203.0.113.9"],
  ["x-forwarded-for before x-real-ip", { "x-forwarded-for": "203.0.113.9", "x-real-ip": "1.2.3.4" }, "203.0.113.9"],
  ["x-real-ip alone", { "x-real-ip": "203.0.113.9" }, "203.0.113.9"],
  ["forwarded", { forwarded: 'for=1.2.3.4, For="[2001:db8::9]:1";proto=https;by=_x' }, "2001:db8::9"],
  ["forwarded before x-real-ip", { forwarded: "proto=http;for=203.0.113.9", "x-real-ip": "1.2.3.4" }, "203.0.113.9"],
  ["nobody: what is no address ends the chain", { "x-forwarded-for": "203.0.113.9, unknown" }, undefined],
  ["what stands behind it", { "x-forwarded-for": "1.2.3.4, _hidden, 203.0.113.9" }, "203.0.113.9"],
  ["nobody: an obfuscated node", { forwarded: "for=_gazonk" }, undefined],
  ["nobody: nothing", {}, undefined],
  ["nobody: nonsense", { "x-forwarded-for": ",,", forwarded: ";;", "x-real-ip": "a b" }, undefined],
] as [string, Record<string, string>, string | undefined][])("%s", (_what, headers, named) => {
  expect(clientNamedByProxy(request(headers))).toBe(named);
});

test("a chain of any length is read from its end", () => {
  const chain = Array.from({ length: 100_000 }, () => "1.2.3.4");
  expect(clientNamedByProxy(request({ "x-forwarded-for": [...chain, "203.0.113.9"].join(", ") }))).toBe("203.0.113.9");
});
