import { expect, test } from "vitest";
import { UnjournaledKeeper } from "../../../../sdk/src/gateway/journal/lease-keeper.ts";
import { PortMapper } from "../../../../sdk/src/gateway/mapper/port-mapper.ts";
import { candidatePorts } from "../../../../sdk/src/gateway/mapper/ports.ts";
import type { MapRequest } from "../../../../sdk/src/gateway/types.ts";
import { type MappingEvent, PortMapError, type PortMapping } from "../../../../sdk/src/gateway/types.ts";
import { FakeClock, FakeGateway, FakeNetwork } from "../fake.ts";

const REQUEST: MapRequest = { internalPort: 7777, protocol: "udp" };

interface World {
  clock: FakeClock;
  network: FakeNetwork;
  mapper: PortMapper;
  events: MappingEvent[];
  /** Maps while time passes. */
  map(request?: MapRequest, options?: Parameters<PortMapper["map"]>[1]): Promise<PortMapping>;
}

function world(
  gateways: (clock: FakeClock) => readonly FakeGateway[],
  options: ConstructorParameters<typeof PortMapper>[0] = {},
): World {
  const clock = new FakeClock();
  const network = new FakeNetwork(clock);
  for (const [index, gateway] of gateways(clock).entries()) network.add(gateway, 10 + 20 * index);
  const mapper = new PortMapper({
    interfaces: [],
    environment: {
      clock,
      random: () => 0.5,
      discover: network.discover,
      keeper: new UnjournaledKeeper(),
      machine: "test",
    },
    ...options,
  });
  const events: MappingEvent[] = [];
  for (const name of ["mapped", "renewed", "changed", "lost", "unmapped"] as const)
    mapper.on(name, (event) => events.push(event));
  const map: World["map"] = async (request = REQUEST, more) => {
    const outcome = mapper.map(request, more);
    outcome.catch(() => undefined);
    await clock.advance(3000);
    return outcome;
  };
  return { clock, network, mapper, events, map };
}

async function errorOf(promise: Promise<unknown>): Promise<PortMapError> {
  const error: unknown = await promise.then(
    () => expect.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PortMapError);
  return error as PortMapError;
}

/** Unmaps and closes, with time passing. */
async function close({ mapper, clock }: World): Promise<void> {
  const closed = mapper.close();
  await clock.advance(10_000);
  await closed;
}

test("maps at the first gateway that answers, and gives everything back", async () => {
  const w = world((clock) => [new FakeGateway(clock, "pcp"), new FakeGateway(clock, "upnp")]);
  const mapping = await w.map({ ...REQUEST, protocol: "both" });
  const [pcp, upnp] = w.network.gateways.map(({ gateway }) => gateway);
  expect(mapping).toMatchObject({
    via: "pcp",
    externalPort: 7777,
    externalAddress: "11.0.0.1",
    verified: true,
    state: "mapped",
  });
  expect([...(pcp?.rows.keys() ?? [])]).toEqual(["udp 7777", "tcp 7777"]);
  expect(upnp?.asked).toEqual([]);
  await close(w);
  expect(pcp?.rows.size).toBe(0);
  expect([pcp?.closed, upnp?.closed]).toEqual([true, true]);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped", "unmapped"]);
  expect(w.clock.pending).toBe(0);
});

test("a gateway that refuses gives way to the next one, and every step is told", async () => {
  const w = world((clock) => [new FakeGateway(clock, "pcp").fail("refused", 2), new FakeGateway(clock, "upnp")]);
  const steps: string[] = [];
  const mapping = await w.map(REQUEST, { onStep: ({ step, outcome }) => steps.push(`${step} ${outcome}`) });
  expect(mapping.via).toBe("upnp");
  expect(steps).toEqual(["pcp refused", "upnp ok"]);
  await close(w);
});

test("a slow gateway does not hold up a quick one elsewhere; what it grants late is given back", async () => {
  const w = world((clock) => [new FakeGateway(clock, "pcp"), new FakeGateway(clock, "upnp", "192.168.2.1")]);
  const [slow, quick] = w.network.gateways.map(({ gateway }) => gateway);
  if (slow) slow.latency = 60_000;
  const mapping = await w.map();
  expect(mapping.gateway.address).toBe("192.168.2.1");
  expect(slow?.rows.size).toBe(0);
  await close(w);
  expect(quick?.rows.size).toBe(0);
});

test("no gateway: a verdict within a second, and mapped when one appears", async () => {
  const w = world(() => []);
  const began = w.clock.now();
  let decided = 0;
  const outcome = w.mapper.map(REQUEST).catch((error: unknown) => {
    decided = w.clock.now() - began;
    return error;
  });
  await w.clock.advance(1000);
  expect(await outcome).toMatchObject({ kind: "no-gateway", steps: [{ step: "upnp", outcome: "absent" }] });
  expect(decided).toBeLessThanOrEqual(1000);
  w.network.add(new FakeGateway(w.clock));
  await w.clock.advance(10_000);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped"]);
  await close(w);
});

test("the signal ends the trying in the background too", async () => {
  const w = world(() => []);
  const controller = new AbortController();
  await errorOf(w.map(REQUEST, { signal: controller.signal }));
  controller.abort();
  w.network.add(new FakeGateway(w.clock));
  await w.clock.advance(60_000);
  expect(w.events).toEqual([]);
  await close(w);
});

test("requests that are wrong", async () => {
  const w = world(() => []);
  for (const request of [
    { internalPort: 0, protocol: "udp" },
    { internalPort: 65_536, protocol: "udp" },
    { internalPort: 1.5, protocol: "udp" },
    { internalPort: 1, externalPort: -1, protocol: "udp" },
    { internalPort: 1, protocol: "sctp" },
    { internalPort: 1, protocol: "udp", lifetimeSeconds: -1 },
    { internalPort: 1, protocol: "udp", lifetimeSeconds: 604_801 },
  ]) {
    expect(await errorOf(w.mapper.map(request as MapRequest))).toMatchObject({ kind: "invalid" });
  }
  await close(w);
  expect(await errorOf(w.mapper.map(REQUEST))).toMatchObject({ kind: "aborted" });
});

test("renewed between half and five eighths of the lease, for ever", async () => {
  const w = world((clock) => [new FakeGateway(clock)], { renewIntervalMs: 1e9, watchIntervalMs: 1e9 });
  await w.map({ ...REQUEST, lifetimeSeconds: 1000 });
  await w.clock.advance(3_600_000);
  const times = w.events.filter(({ event }) => event === "renewed").map(({ ms }) => ms);
  expect(times.length).toBeGreaterThanOrEqual(5);
  for (const [index, time] of times.entries()) {
    const pause = time - (times[index - 1] ?? 0);
    expect(pause).toBeGreaterThanOrEqual(500_000);
    expect(pause).toBeLessThanOrEqual(626_000);
  }
  await close(w);
});

test("looked at every renewIntervalMs; what is gone is made again at once", async () => {
  const w = world((clock) => [new FakeGateway(clock)], { renewIntervalMs: 300_000 });
  await w.map();
  w.network.gateways[0]?.gateway.rows.clear();
  await w.clock.advance(331_000);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped", "lost", "mapped"]);
  expect(w.events[1]?.reason).toMatch(/gone from the router/);
  await close(w);
});

test("a doubt is looked into at once, and no more than once a second", async () => {
  const w = world((clock) => [new FakeGateway(clock)]);
  await w.map();
  const gateway = w.network.gateways[0]?.gateway;
  const looks = (): number => gateway?.asked.filter((what) => what.startsWith("check")).length ?? 0;
  for (let i = 0; i < 100; i++) {
    gateway?.emit("suspect", "somebody cries wolf");
    await w.clock.advance(50);
  }
  expect(looks()).toBeGreaterThanOrEqual(4);
  expect(looks()).toBeLessThanOrEqual(7);
  await close(w);
});

test("a gateway that restarts while a mapping is being made: both of its entries are there in the end", async () => {
  const w = world((clock) => [new FakeGateway(clock)], { watchIntervalMs: 1e9, renewIntervalMs: 1e9 });
  const gateway = w.network.gateways[0]?.gateway ?? expect.fail("there is one");
  gateway.latency = 100;
  const mapped = w.mapper.map({ ...REQUEST, protocol: "both" });
  // The first entry is made by then, the second is on its way.
  await w.clock.advance(150);
  expect([...gateway.rows.keys()]).toContain("udp 7777");
  gateway.rows.delete("udp 7777");
  gateway.emit("suspect", "the router restarted");
  await w.clock.advance(5000);
  await mapped;
  expect([...gateway.rows.keys()].sort()).toEqual(["tcp 7777", "udp 7777"]);
  await close(w);
});

test("a gateway that restarts while a lost mapping is being made again", async () => {
  const w = world((clock) => [new FakeGateway(clock)], { watchIntervalMs: 1e9, renewIntervalMs: 1e9 });
  await w.map({ ...REQUEST, protocol: "both" });
  const gateway = w.network.gateways[0]?.gateway ?? expect.fail("there is one");
  gateway.latency = 100;
  gateway.rows.clear();
  gateway.emit("suspect", "the router restarted");
  // Looked at, and the first of two asked for again.
  await w.clock.advance(250);
  expect([...gateway.rows.keys()]).toEqual(["udp 7777"]);
  gateway.rows.clear();
  gateway.emit("suspect", "the router restarted once more");
  await w.clock.advance(5000);
  expect([...gateway.rows.keys()].sort()).toEqual(["tcp 7777", "udp 7777"]);
  await close(w);
});

test("an announcement that tells nothing new is looked into; a router that is silent then is not lost for it", async () => {
  const w = world((clock) => [new FakeGateway(clock)], { watchIntervalMs: 1e9, renewIntervalMs: 1e9 });
  await w.map();
  const gateway = w.network.gateways[0]?.gateway ?? expect.fail("there is one");
  gateway.silent = true;
  gateway.emit("announced", "here I am");
  await w.clock.advance(2000);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped"]);
  gateway.silent = false;
  gateway.rows.clear();
  gateway.emit("announced", "here I am");
  await w.clock.advance(2000);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped", "lost", "mapped"]);
  await close(w);
});

test("silence is not loss while it is short; then another gateway serves", async () => {
  const w = world((clock) => [new FakeGateway(clock), new FakeGateway(clock, "pcp", "192.168.2.1")]);
  await w.map();
  const first = w.network.gateways[0]?.gateway;
  if (first) first.silent = true;
  await w.clock.advance(29_000);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped"]);
  await w.clock.advance(15_000);
  expect(w.events.map(({ event }) => event)).toEqual(["mapped", "lost", "mapped"]);
  expect(w.mapper.mappings()[0]?.gateway.address).toBe("192.168.2.1");
  await close(w);
});

test("the external address changes: told; it becomes private: lost", async () => {
  const w = world((clock) => [new FakeGateway(clock)]);
  const mapping = await w.map();
  const gateway = w.network.gateways[0]?.gateway;
  if (gateway) gateway.externalAddress = "11.0.0.2";
  gateway?.emit("suspect", "another address");
  await w.clock.advance(2000);
  expect(w.events.at(-1)).toMatchObject({ event: "changed" });
  expect(mapping.externalAddress).toBe("11.0.0.2");
  if (gateway) gateway.externalAddress = "10.0.0.2";
  gateway?.emit("suspect", "another address");
  await w.clock.advance(2000);
  expect(w.events.at(-1)).toMatchObject({ event: "lost" });
  expect(w.events.at(-1)?.reason).toMatch(/double NAT/);
  expect(gateway?.rows.size).toBe(0);
  await close(w);
});

test("sleep is noticed by the clocks that part", async () => {
  const w = world((clock) => [new FakeGateway(clock)], { watchIntervalMs: 1e9, renewIntervalMs: 1e9 });
  await w.map();
  const gateway = w.network.gateways[0]?.gateway;
  gateway?.rows.clear();
  w.clock.skew += 3_600_000;
  await w.clock.advance(5000);
  expect(w.events.map(({ event }) => event)).toContain("mapped");
  expect(gateway?.rows.has("udp 7777")).toBe(true);
  await close(w);
});

test("unmapping twice is once; a gateway that is silent does not hold it up", async () => {
  const w = world((clock) => [new FakeGateway(clock)]);
  const mapping = await w.map();
  const gateway = w.network.gateways[0]?.gateway;
  if (gateway) gateway.silent = true;
  const twice = Promise.all([mapping.unmap(), mapping.unmap()]);
  await w.clock.advance(10_000);
  await twice;
  expect(gateway?.asked.filter((what) => what.startsWith("release")).length).toBe(1);
  expect(w.events.at(-1)?.reason).toMatch(/did not confirm/);
  expect(mapping.state).toBe("unmapped");
  await close(w);
});

test("many mappings per process, each its own", async () => {
  const w = world((clock) => [new FakeGateway(clock)]);
  for (let port = 7000; port < 7020; port++) await w.map({ internalPort: port, protocol: "both" });
  expect(w.mapper.mappings().length).toBe(20);
  expect(w.network.gateways[0]?.gateway.rows.size).toBe(40);
  await close(w);
  expect(w.network.gateways[0]?.gateway.rows.size).toBe(0);
  expect(w.clock.pending).toBe(0);
});

test("alternative ports are the same each time, others elsewhere, and never below 1024", () => {
  const seed = { machine: "a", application: "b", gateway: "c" };
  const ports = candidatePorts(7777, 7777, seed);
  expect(candidatePorts(7777, 7777, seed)).toEqual(ports);
  expect(new Set(ports).size).toBe(10);
  expect(ports[0]).toBe(7777);
  for (const other of [
    { ...seed, machine: "x" },
    { ...seed, application: "x" },
    { ...seed, gateway: "x" },
  ]) {
    expect(candidatePorts(7777, 7777, other).slice(1)).not.toEqual(ports.slice(1));
  }
  for (const port of candidatePorts(80, 80, seed).slice(1)) expect(port).toBeGreaterThanOrEqual(20_000);
});

test("the process' end is guarded while something is mapped or being mapped, and not when it was not wanted", async () => {
  const idle = process.listenerCount("SIGINT");
  const w = world((clock) => [new FakeGateway(clock)]);
  expect(process.listenerCount("SIGINT")).toBe(idle);
  const outcome = w.mapper.map(REQUEST);
  expect(process.listenerCount("SIGINT")).toBe(idle + 1);
  await w.clock.advance(3000);
  const mapping = await outcome;
  expect(process.listenerCount("SIGINT")).toBe(idle + 1);
  const unmapped = mapping.unmap();
  await w.clock.advance(10_000);
  await unmapped;
  expect(process.listenerCount("SIGINT")).toBe(idle);
  await w.map();
  await close(w);
  expect(process.listenerCount("SIGINT")).toBe(idle);

  const careless = world((clock) => [new FakeGateway(clock)], { signals: false });
  await careless.map();
  expect(process.listenerCount("SIGINT")).toBe(idle);
  await close(careless);
});
