import { describe, expect, test } from "vitest";
import { describeLifetime } from "../../../../sdk/src/connectivity/rungs/describe-lifetime.ts";
import { DetectionRung } from "../../../../sdk/src/connectivity/rungs/detection.ts";
import { LifetimeRung } from "../../../../sdk/src/connectivity/rungs/lifetime.ts";
import type { PortMapping } from "../../../../sdk/src/gateway/types.ts";
import { type NatLifetime } from "../../../../sdk/src/nat/lifetime.ts";
import type { Endpoint } from "../../../../sdk/src/net/endpoint.ts";
import { type StunServerOutcome, type stunBinding } from "../../../../sdk/src/stun/client.ts";
import { TestContext } from "./context.ts";

const SERVERS = ["one.test:3478", "two.test:3478"];

/** A game's socket that waits, and STUN servers that see it where the test says. */
class World implements AsyncDisposable {
  readonly asked: (readonly string[])[] = [];
  readonly lifetimes: (number | null)[] = [];
  readonly context: TestContext;
  readonly detection: DetectionRung;
  readonly rung: LifetimeRung;
  readonly mapping: { held: PortMapping[] } = { held: [] };
  mapped: Endpoint | null = { address: "203.0.113.5", port: 40_000 };
  lifetime: NatLifetime = { seconds: null, goneAfterSeconds: null, outcome: "untold" };

  constructor() {
    const stun: typeof stunBinding = (_, servers, options) => {
      this.asked.push(servers);
      const { mapped } = this;
      const outcomes = servers.map((server, index): StunServerOutcome => {
        const outcome = { server, address: { address: `192.0.2.${index + 1}`, port: 3478 } };
        return mapped === null ? outcome : { ...outcome, mapped };
      });
      for (const outcome of outcomes) options?.onOutcome?.(outcome);
      return Promise.resolve(outcomes);
    };
    this.context = new TestContext(
      { stunServers: SERVERS, lifetimeWaitsMs: [1000] },
      { stun, natLifetime: () => Promise.resolve(this.lifetime) },
    );
    this.detection = new DetectionRung(this.context, this.mapping);
    this.rung = new LifetimeRung(this.context, {
      detection: this.detection,
      mapping: this.mapping,
      relay: { fitKeepAlive: (seconds) => void this.lifetimes.push(seconds) },
    });
  }

  async open(): Promise<void> {
    await Promise.all([this.detection.open(), this.rung.open()]);
  }

  /** How often a STUN server is asked meanwhile. */
  async sentIn(ms: number): Promise<number> {
    const before = this.asked.length;
    await this.context.clock.advance(ms);
    return this.asked.length - before;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context[Symbol.asyncDispose]();
  }
}

describe("the keep-alive", () => {
  test("asks one server of all, every 15 s while nothing is known", async () => {
    await using world = new World();
    await world.open();
    expect(world.asked).toEqual([SERVERS]);
    expect(await world.sentIn(60_000)).toBe(4);
    expect(new Set(world.asked.slice(1).flat())).toEqual(new Set(["192.0.2.1:3478"]));
  });

  test.each([
    [300, 4],
    [30, 4],
    [20, 6],
    [12, 10],
    [7, 12],
  ])("a lifetime of %i s: %i packets a minute", async (seconds, packets) => {
    await using world = new World();
    await world.open();
    world.lifetime = { seconds, goneAfterSeconds: null, outcome: "measured" };
    await world.rung.measure();
    expect(await world.sentIn(60_000)).toBe(packets);
  });

  test("a shorter pause begins at once, relays and players' paths are told, and another network begins anew", async () => {
    await using world = new World();
    await world.open();
    await world.sentIn(14_000);
    world.lifetime = { seconds: 16, goneAfterSeconds: 17, outcome: "measured" };
    const before = world.asked.length;
    await world.rung.measure();
    expect(world.asked.length).toBe(before + 1);
    expect(world.rung.findings.mappingLifetimeSeconds).toBe(16);
    world.rung.forget("network");
    expect(world.rung.findings.mappingLifetimeSeconds).toBeNull();
    expect(world.lifetimes).toEqual([null, 16, null]);
  });

  test("sends nothing where nobody depends on it, and nothing after the end", async () => {
    await using world = new World();
    await world.open();
    world.mapping.held.push({} as PortMapping);
    expect(await world.sentIn(60_000)).toBe(0);
    world.mapping.held.length = 0;
    world.context.end();
    expect(await world.sentIn(60_000)).toBe(0);
  });

  test("another public address, or no answer, has all servers asked anew, and what they see counts", async () => {
    await using world = new World();
    await world.open();
    world.mapped = { address: "203.0.113.5", port: 40_001 };
    expect(await world.sentIn(15_000)).toBe(2);
    expect(world.asked.at(-1)).toEqual(SERVERS);
    expect(world.detection.findings.reflexive?.[0]?.port).toBe(40_001);
    world.mapped = null;
    await world.sentIn(15_000);
    expect(world.detection.findings.reflexive).toEqual([]);
    // Not given up: the server, or the way to it, comes back.
    world.mapped = { address: "203.0.113.5", port: 40_002 };
    await world.sentIn(15_000);
    expect(world.detection.findings.reflexive?.[0]?.port).toBe(40_002);
  });
});

describe("in words", () => {
  const say = (seconds: number | null, goneAfterSeconds: number | null = null): string =>
    describeLifetime({ seconds, goneAfterSeconds, outcome: "measured" });

  test("what the router does, what Sallyport does, and whether that is fine", () => {
    expect(say(33.75, 36)).toBe(
      "Your router forgets a silent connection after about 35 s; Sallyport sends a packet every 15 s where friends depend on it, so that is fine.",
    );
    expect(say(60, 120)).toMatch(/after 60 to 120 s; .* every 15 s/);
    expect(say(180)).toMatch(/^Your router remembers a silent connection for 180 s and longer; .* so that is fine/);
    expect(say(7.5, 8)).toMatch(/after about 7.8 s; .* every 5 s/);
  });

  test("what the person can do where no keep-alive helps", () => {
    expect(say(3, 3.5)).toMatch(/after about 3.3 s, which is too short .* forward the port/);
  });

  test("why it is not known", () => {
    const unknown = { seconds: null, goneAfterSeconds: null };
    expect(describeLifetime({ ...unknown, outcome: "untold" })).toMatch(/answers to no other port/);
    expect(describeLifetime({ ...unknown, outcome: "unanswered" })).toMatch(/does not answer/);
    expect(describeLifetime({ ...unknown, outcome: "no-nat" })).toMatch(/No NAT/);
  });
});
