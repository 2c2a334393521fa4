import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import {
  callerOfRequest,
  clientNamedByProxy,
  isFromProxy,
  rememberNamed,
} from "../../../../../sdk/src/colyseus/server/entrances/client-address.ts";
import { introducedHeaders, readIntroduced } from "../../../../../sdk/src/colyseus/server/entrances/introduced.ts";

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

/** The name by which a request is counted, as the guard leaves it. */
function callerOf(
  remoteAddress: string,
  trustProxy: boolean,
  headers: Record<string, string> = {},
): string | undefined {
  const asked = request({ ...headers }, remoteAddress);
  readIntroduced(asked);
  rememberNamed(asked, trustProxy && isFromProxy(asked) ? clientNamedByProxy(asked) : undefined);
  // The guard writes who that is, whoever it is.
  asked.headers["x-real-ip"] = "10.9.9.9";
  return callerOfRequest(asked, trustProxy)?.networks[0]?.key;
}

test.each([
  ["a stranger", "5.6.7.8", false, {}, "5.6.7.8"],
  ["a stranger who names another", "5.6.7.8", true, { "x-forwarded-for": "1.2.3.4" }, "5.6.7.8"],
  ["of a /64", "2a02:1:2:3:4::5", false, {}, "2a02:1:2:3::/64"],
  ["a neighbour", "192.168.1.7", false, {}, "192.168.1.7"],
  [
    "nobody in particular: by a proxy that is not trusted",
    "127.0.0.1",
    false,
    { "x-forwarded-for": "5.6.7.8" },
    undefined,
  ],
  ["who is named by a trusted proxy", "127.0.0.1", true, { "x-forwarded-for": "5.6.7.8" }, "5.6.7.8"],
  ["the same, of another machine", "10.0.0.2", true, { "x-forwarded-for": "2a02:1:2:3::9" }, "2a02:1:2:3::/64"],
  ["nobody: a trusted proxy that names nobody", "10.0.0.2", true, {}, undefined],
  ["nobody: this machine, behind a trusted proxy", "127.0.0.1", true, { "x-forwarded-for": "127.0.0.1" }, undefined],
  ["another customer of the provider is no proxy", "100.64.0.9", true, { "x-forwarded-for": "5.6.7.8" }, "100.64.0.9"],
] as [string, string, boolean, Record<string, string>, string | undefined][])(
  "a request counts for %s",
  (_who, remoteAddress, trustProxy, headers, caller) => {
    expect(callerOf(remoteAddress, trustProxy, headers)).toBe(caller);
  },
);

test("an introduced player is counted by its key, and nobody else says that it were one", () => {
  const ann = introducedHeaders(Uint8Array.of(1));
  expect(callerOf("127.0.0.1", false, ann)).toBe("introduced 01");
  expect(callerOf("127.0.0.1", false, { "x-sallyport-introduced": `${"00".repeat(32)} 01` })).toBeUndefined();
});
