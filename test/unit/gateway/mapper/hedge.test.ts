import { expect, test } from "vitest";
import { rankOf } from "../../../../sdk/src/gateway/discovery/rank.ts";
import { OTHER_DEVICE } from "../../../../sdk/src/gateway/gateway.ts";
import type { LocalInterface } from "../../../../sdk/src/gateway/interfaces.ts";
import { type Asked, HEDGE_PROTOCOL_MS, HEDGE_ROUTER_MS, waitMs } from "../../../../sdk/src/gateway/mapper/hedge.ts";
import { FakeClock, FakeGateway } from "../fake.ts";

const clock = new FakeClock();
const NOW = 10_000;
const never = Number.POSITIVE_INFINITY;

const since = (at: number): Asked => ({ startedAt: at, askedAt: at });

const pcp = new FakeGateway(clock, "pcp");
const natPmp = new FakeGateway(clock, "nat-pmp");
const upnp = new FakeGateway(clock, "upnp");
const second = new FakeGateway(clock, "upnp", "192.168.2.1", 1);
const stranger = new FakeGateway(clock, "upnp", "192.168.1.66", OTHER_DEVICE);

test("the first is asked at once, another protocol of its router a moment later, another router after a second", () => {
  expect(waitMs(pcp, new Map(), NOW, false)).toBe(0);
  const asked = new Map([[pcp, since(NOW)]]);
  expect(waitMs(natPmp, asked, NOW, false)).toBe(HEDGE_PROTOCOL_MS);
  expect(waitMs(natPmp, asked, NOW + HEDGE_PROTOCOL_MS, false)).toBe(0);
  expect(waitMs(second, asked, NOW, true)).toBe(HEDGE_ROUTER_MS);
  expect(waitMs(new FakeGateway(clock, "pcp"), asked, NOW, true)).toBe(HEDGE_ROUTER_MS);
});

test("a protocol that waits for its router's turn is not slow: its other protocols wait with it, other routers do not", () => {
  const asked = new Map([[pcp, { startedAt: NOW - 5000, askedAt: never }]]);
  expect(waitMs(natPmp, asked, NOW, false)).toBe(never);
  expect(waitMs(second, asked, NOW, true)).toBe(0);
});

test("the third protocol waits for a moment behind the second", () => {
  const asked = new Map([
    [pcp, since(NOW - HEDGE_PROTOCOL_MS)],
    [natPmp, since(NOW)],
  ]);
  expect(waitMs(upnp, asked, NOW, false)).toBe(HEDGE_PROTOCOL_MS);
});

test("a router of a worse route waits until the search is over", () => {
  expect(waitMs(second, new Map(), NOW, false)).toBe(never);
  expect(waitMs(second, new Map(), NOW, true)).toBe(0);
});

test("what is no default gateway waits until every default gateway has refused", () => {
  expect(waitMs(stranger, new Map([[upnp, since(NOW - 60_000)]]), NOW, true)).toBe(never);
  expect(waitMs(stranger, new Map([[second, since(NOW - 60_000)]]), NOW, true)).toBe(never);
  expect(waitMs(stranger, new Map(), NOW, true)).toBe(0);
});

const lan = (name: string, address: string, gateway?: string): LocalInterface => ({
  name,
  address,
  family: address.includes(":") ? 6 : 4,
  prefixLength: 24,
  ...(gateway === undefined ? {} : { gateway }),
});

test("ranks: the best default route first, then others, then everybody else", () => {
  const wired = lan("eth0", "192.168.1.5", "192.168.1.1");
  const again = lan("eth0", "192.168.1.6", "192.168.1.1");
  const wireless = lan("wlan0", "192.168.2.5", "192.168.2.1");
  const cable = lan("eth1", "10.0.0.5");
  const all = [wired, again, wireless, cable];
  expect(rankOf("192.168.1.1", wired, all)).toBe(0);
  expect(rankOf("192.168.1.1", again, all)).toBe(0);
  expect(rankOf("192.168.2.1", wireless, all)).toBe(1);
  expect(rankOf("192.168.1.66", wired, all)).toBe(OTHER_DEVICE);
  expect(rankOf("192.168.1.1", wireless, all)).toBe(OTHER_DEVICE);
  expect(rankOf("10.0.0.1", cable, all)).toBe(OTHER_DEVICE);
});

test("where no route is known, all are alike; IPv6 has routes of its own", () => {
  const cable = lan("eth1", "10.0.0.5");
  const six = lan("eth0", "2a11::5", "fe80::1");
  expect(rankOf("10.0.0.1", cable, [cable])).toBe(0);
  expect(rankOf("10.0.0.1", cable, [cable, six])).toBe(0);
  expect(rankOf("fe80::1%eth0", six, [cable, six])).toBe(0);
});
