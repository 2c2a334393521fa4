import { expect, test } from "vitest";
import { DescriptionBudget } from "../../../../sdk/src/gateway/discovery/description-budget.ts";
import { Gateways } from "../../../../sdk/src/gateway/discovery/gateways.ts";
import { type Gateway, NO_ANSWER_MS, OTHER_DEVICE, type SearchEvents } from "../../../../sdk/src/gateway/gateway.ts";
import { FakeClock, FakeGateway } from "../fake.ts";

/** Gateways whose searches the test answers and ends. */
function world(): {
  clock: FakeClock;
  gateways: Gateways;
  searches: { events: SearchEvents; settle: () => void; isOpen: boolean }[];
  used: Set<Gateway>;
} {
  const clock = new FakeClock();
  const used = new Set<Gateway>();
  const searches: { events: SearchEvents; settle: () => void; isOpen: boolean }[] = [];
  const gateways = new Gateways({
    clock,
    signal: new AbortController().signal,
    isUsed: (gateway) => used.has(gateway),
    isWanted: () => false,
    onArrival: () => undefined,
    discover: (events) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const search = { events, settle: resolve, isOpen: true };
      searches.push(search);
      return {
        settled: promise,
        async [Symbol.asyncDispose]() {
          search.isOpen = false;
          resolve();
        },
      };
    },
  });
  return { clock, gateways, searches, used };
}

test("requests that come at once share a search; one that comes while a slow router is waited for has its own", async () => {
  const { clock, gateways, searches } = world();
  const first = gateways.search();
  await clock.advance(NO_ANSWER_MS - 1);
  expect(gateways.search()).toBe(first);
  await clock.advance(1);
  expect(gateways.search()).not.toBe(first);
  // The slow router may still answer the first.
  expect(searches.map(({ isOpen }) => isOpen)).toEqual([true, true]);
  const late = new FakeGateway(clock);
  searches[0]?.events.onGateway(late);
  expect([...gateways]).toEqual([late]);
  for (const { settle } of searches) settle();
  await clock.advance(10_000);
  expect(searches.map(({ isOpen }) => isOpen)).toEqual([false, false]);
});

test("another network: the searches end, and the next one is new", async () => {
  const { clock, gateways, searches } = world();
  const first = gateways.search();
  gateways.endSearches();
  await clock.advance(0);
  expect(first.isSettled).toBe(true);
  expect(gateways.search()).not.toBe(first);
  expect(searches.map(({ isOpen }) => isOpen)).toEqual([false, true]);
});

test("a gateway that serves or is being asked is not replaced by the same one found again; an idle one is", async () => {
  const { clock, gateways, searches, used } = world();
  gateways.search();
  const found = (): FakeGateway => {
    const gateway = new FakeGateway(clock);
    searches[0]?.events.onGateway(gateway);
    return gateway;
  };
  const first = found();
  const second = found();
  expect([[...gateways], first.closed]).toEqual([[second], true]);
  const hold = gateways.hold(second);
  const third = found();
  expect([[...gateways], second.closed, third.closed]).toEqual([[second], false, true]);
  hold[Symbol.dispose]();
  used.add(second);
  const fourth = found();
  expect([[...gateways], second.closed, fourth.closed]).toEqual([[second], false, true]);
});

test("order: by route, and of one router those last whose address is known to be private", () => {
  const { clock, gateways, searches } = world();
  gateways.search();
  const make = (via: "pcp" | "nat-pmp" | "upnp", address: string, rank: number, external: string): FakeGateway => {
    const gateway = new FakeGateway(clock, via, address, rank);
    gateway.externalAddress = external;
    searches[0]?.events.onGateway(gateway);
    return gateway;
  };
  const stranger = make("upnp", "192.168.1.66", OTHER_DEVICE, "9.9.9.9");
  const second = make("upnp", "192.168.2.1", 1, "11.0.0.2");
  const hidden = make("nat-pmp", "192.168.1.1", 0, "10.0.0.2");
  const best = make("upnp", "192.168.1.1", 0, "11.0.0.1");
  expect(gateways.inOrder(new Set(), 4)).toEqual([best, hidden, second, stranger]);
  gateways.demote(best);
  expect(gateways.inOrder(new Set([hidden]), 4)).toEqual([best, second, stranger]);
});

test("descriptions: routers have a budget of their own, and no device has more than a few", () => {
  const budget = new DescriptionBudget();
  const take = (responder: string, isDefault: boolean, isNamed: boolean, times = 100): number =>
    Array.from({ length: times }, () => budget.take({ responder, isDefault, isNamed })).filter(Boolean).length;
  expect(take("192.168.1.50", false, false)).toBe(4);
  for (let i = 0; i < 100; i++) take(`10.0.0.${i}`, false, false, 1);
  expect(take("192.168.1.51", false, false)).toBe(0);
  expect(take("192.168.1.66", false, true)).toBe(4);
  expect(take("192.168.1.67", false, true)).toBe(4);
  for (let i = 0; i < 100; i++) take(`10.0.1.${i}`, false, true, 1);
  expect(take("192.168.1.1", true, true)).toBe(8);
  expect(take("192.168.1.1", true, false)).toBe(8);
});
