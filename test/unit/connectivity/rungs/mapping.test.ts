import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { Mapper } from "../../../../sdk/src/connectivity/dependencies.ts";
import type { ConnectivityOptions } from "../../../../sdk/src/connectivity/options.ts";
import { MappingRung } from "../../../../sdk/src/connectivity/rungs/mapping.ts";
import type { MapRequest, PortMapping } from "../../../../sdk/src/gateway/types.ts";
import { TestContext } from "./context.ts";

type FakeMapping = EventEmitter & { state: string; externalPort: number };

/** A router that maps each port to 20 000 more than that, at once. */
class World implements AsyncDisposable {
  readonly requests: MapRequest[] = [];
  readonly mappings = new Map<number, FakeMapping>();
  readonly context: TestContext;
  readonly rung: MappingRung;
  /** What the mapper was made with. */
  given: Parameters<TestContext["dependencies"]["createMapper"]>[0];

  constructor(options: ConnectivityOptions = {}) {
    const mapper = Object.assign(new EventEmitter(), {
      map: async (request: MapRequest) => {
        this.requests.push(request);
        const mapping = fakeMapping(request);
        this.mappings.set(request.internalPort, mapping);
        return mapping as unknown as PortMapping;
      },
      gateways: () => [],
      mappings: () => [],
      refresh: () => undefined,
      close: async () => undefined,
    });
    this.context = new TestContext(
      { via: ["upnp"], ...options },
      {
        createMapper: (given) => {
          this.given = given;
          return mapper as unknown as Mapper;
        },
      },
    );
    this.rung = new MappingRung(this.context, async () => "11.0.0.77");
  }

  get port(): number {
    return this.context.socket().localPort;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context[Symbol.asyncDispose]();
  }
}

function fakeMapping({ internalPort, protocol }: MapRequest): FakeMapping {
  return Object.assign(new EventEmitter(), {
    state: "mapped",
    via: "upnp",
    gateway: { via: "upnp", name: "Acme", address: "192.168.1.1", externalAddress: "11.0.0.9" },
    protocol,
    internalPort,
    externalAddress: "11.0.0.9",
    externalPort: (internalPort + 20_000) % 65_536,
    expiresAt: 0,
    verified: true,
    proof: "router",
  });
}

test("the game's port is mapped for UDP and TCP", async () => {
  await using world = new World();
  await world.rung.open();
  expect(world.requests).toMatchObject([{ internalPort: world.port, protocol: "both", lifetimeSeconds: 7200 }]);
  const found = { address: "11.0.0.9", port: (world.port + 20_000) % 65_536, via: "upnp", gatewayName: "Acme" };
  expect(world.rung.findings.mappings).toMatchObject([
    { ...found, protocol: "udp" },
    { ...found, protocol: "tcp" },
  ]);
});

test("an extra port is mapped for UDP as soon as the rung is open, and is no finding", async () => {
  await using world = new World();
  world.rung.mapExtraPort(17_777);
  expect(world.requests).toEqual([]);
  expect(world.rung.extraEndpoint(17_777)).toBeUndefined();
  await world.rung.open();
  world.rung.mapExtraPort(17_778);
  world.rung.mapExtraPort(17_778);
  expect(world.requests.filter(({ protocol }) => protocol === "udp").map(({ internalPort }) => internalPort)).toEqual([
    17_777, 17_778,
  ]);
  await expect.poll(() => world.rung.extraEndpoint(17_778)).toEqual({ address: "11.0.0.9", port: 37_778 });
  expect(world.rung.extraEndpoint(17_777)).toEqual({ address: "11.0.0.9", port: 37_777 });
  expect(world.rung.held).toHaveLength(1);
  Object.assign(world.mappings.get(17_777) ?? {}, { state: "lost" });
  expect(world.rung.extraEndpoint(17_777)).toBeUndefined();
});

test("another external endpoint has the rungs forget the proof of the former one, and is a step", async () => {
  await using world = new World();
  await world.rung.open();
  expect(world.context.changes).toEqual([]);
  world.mappings.get(world.port)?.emit("changed", { reason: "The router has another address.", ms: 5 });
  expect(world.context.changes).toEqual(["mapping"]);
  expect(world.context.steps).toEqual([
    { step: "upnp", outcome: "ok", ms: 5, reason: "The router has another address." },
  ]);
});

test("the router's name, a private address and STUN's address go to the mapper, for extra ports too", async () => {
  await using world = new World({ gateway: "192.168.1.2", acceptPrivateAddress: true });
  await world.rung.open();
  world.rung.mapExtraPort(17_777);
  expect(world.given?.gateway).toBe("192.168.1.2");
  expect(world.requests).toHaveLength(2);
  for (const { acceptPrivateAddress, publicAddress } of world.requests) {
    expect(acceptPrivateAddress).toBe(true);
    expect(await publicAddress?.()).toBe("11.0.0.77");
  }
  expect(world.rung.findings.mappings).toMatchObject([{ proof: "router" }, { proof: "router" }]);
  await using other = new World();
  await other.rung.open();
  expect(other.given?.gateway).toBeUndefined();
  expect(other.requests).toMatchObject([{ acceptPrivateAddress: false }]);
});

test.each([
  { options: { via: [] }, reason: /^Switched off/ },
  { options: { address: "127.0.0.1" }, reason: /loopback/ },
])("no router is asked with $options", async ({ options, reason }) => {
  await using world = new World(options);
  world.rung.mapExtraPort(17_777);
  await world.rung.open();
  expect(world.requests).toEqual([]);
  expect(world.context.steps).toHaveLength(3);
  for (const step of world.context.steps) {
    expect(step).toMatchObject({ outcome: "skipped", reason: expect.stringMatching(reason) });
  }
});
