import { expect, test } from "vitest";
import { DetectionRung } from "../../../../sdk/src/connectivity/rungs/detection.ts";
import type { PortMapping } from "../../../../sdk/src/gateway/types.ts";
import type { NatBehaviour } from "../../../../sdk/src/nat/behaviour.ts";
import type { ProbeResult } from "../../../../sdk/src/nat/probe.ts";
import { howToLetIn } from "../../../../sdk/src/net/firewall.ts";
import type { StunServerOutcome } from "../../../../sdk/src/stun/client.ts";
import { TestContext } from "./context.ts";

const SEEN: StunServerOutcome = {
  server: "stun.test:3478",
  address: { address: "192.0.2.1", port: 3478 },
  otherAddress: { address: "192.0.2.2", port: 3479 },
  mapped: { address: "203.0.113.5", port: 40_000 },
};
const CONE: NatBehaviour = {
  mapping: "endpoint-independent",
  filtering: "address-and-port-dependent",
  hairpinning: false,
  portPreservation: true,
  mapped: null,
};
const { mapped: _, ...BEHAVIOUR } = CONE;

/** A STUN server with two addresses, and what it finds. */
class World implements AsyncDisposable {
  /** What the network was asked, in order. */
  readonly log: string[] = [];
  readonly mapping = {
    held: [
      {
        externalAddress: "203.0.113.5",
        externalPort: 7777,
        remake: async (reason: string) => {
          this.log.push(`remake: ${reason}`);
          return this.remakes;
        },
      } as PortMapping,
    ],
  };
  /** Whether a mapping can be made again, and what a probe finds then. */
  remakes = false;
  afterwards: ProbeResult | undefined;
  readonly context: TestContext;
  readonly rung: DetectionRung;
  arrives: ProbeResult = "arrived";
  behaviour = CONE;

  constructor(servers = ["stun.test:3478"], address = "*") {
    this.context = new TestContext(
      { stunServers: servers, address },
      {
        stun: async (_socket, asked, options) => {
          this.log.push(`ask ${asked.join(" ")}`);
          options?.onOutcome?.(SEEN);
          return [SEEN];
        },
        probe: async (_socket, { address: server }, port) => {
          this.log.push(`probe ${port} from ${server}`);
          const isRemade = this.log.some((entry) => entry.startsWith("remake"));
          return isRemade ? (this.afterwards ?? this.arrives) : this.arrives;
        },
        natBehaviour: async (_socket, server) => {
          this.log.push(`examine ${server}`);
          return this.behaviour;
        },
      },
    );
    this.rung = new DetectionRung(this.context, this.mapping);
  }

  /** @returns what the network was asked by it */
  async asked(work: () => Promise<void>): Promise<string[]> {
    this.log.length = 0;
    await work();
    return this.log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context[Symbol.asyncDispose]();
  }
}

const ASK = "ask stun.test:3478";
const PROBE = "probe 7777 from 192.0.2.1";
const EXAMINE = "examine stun.test:3478";

test("the mapped port is proven before the NAT is examined, which opens the filter that the proof tests", async () => {
  await using world = new World();
  expect(await world.asked(() => world.rung.open())).toEqual([ASK]);
  expect(await world.asked(() => world.rung.settle())).toEqual([PROBE, EXAMINE]);
  expect(world.rung.findings).toEqual({
    reflexive: [{ server: "stun.test:3478", address: "203.0.113.5", port: 40_000 }],
    behaviour: BEHAVIOUR,
    probe: "arrived",
  });
});

test("a refresh asks again, and examines only a NAT that is not known", async () => {
  await using world = new World();
  await world.rung.open();
  world.behaviour = { ...CONE, mapping: "unknown" };
  await world.rung.settle();
  world.behaviour = CONE;
  expect(await world.asked(() => world.rung.refresh())).toEqual([ASK, PROBE, EXAMINE]);
  expect(await world.asked(() => world.rung.refresh())).toEqual([ASK]);
});

test("another mapping needs another proof, another network also another examination", async () => {
  await using world = new World();
  await world.rung.open();
  await world.rung.settle();
  world.rung.forget("mapping");
  expect(world.rung.findings).toMatchObject({ probe: undefined, behaviour: BEHAVIOUR });
  world.rung.forget("network");
  expect(world.rung.findings).toMatchObject({ probe: undefined, behaviour: undefined });
  expect(await world.asked(() => world.rung.refresh())).toEqual([ASK, PROBE, EXAMINE]);
});

test("a port that the router only claims to forward is said in words", async () => {
  await using world = new World();
  world.arrives = "silent";
  await world.rung.open();
  await world.rung.settle();
  expect(world.rung.findings.probe).toBe("silent");
  const [probe, firewall] = world.context.steps.slice(-2).filter(({ step }) => step === "probe" || step === "firewall");
  expect(probe).toMatchObject({ step: "probe", outcome: "failed" });
  // Of a system that drops what it was not told to let in.
  expect(firewall?.reason ?? "").toBe(howToLetIn() && `${howToLetIn()}.`);
});

test("a mapping that is listed and silent is deleted and added again, once, and probed again", async () => {
  await using world = new World();
  world.arrives = "silent";
  world.remakes = true;
  world.afterwards = "arrived";
  await world.rung.open();
  const REMAKE = "remake: no packet from outside came in by it";
  expect(await world.asked(() => world.rung.settle())).toEqual([PROBE, REMAKE, PROBE, EXAMINE]);
  expect(world.rung.findings.probe).toBe("arrived");
  world.rung.forget("mapping");
  world.afterwards = "silent";
  expect(await world.asked(() => world.rung.settle())).toEqual([PROBE]);
  expect(world.rung.findings.probe).toBe("silent");
});

test("a mapping that cannot be made again is not probed again", async () => {
  await using world = new World();
  world.arrives = "silent";
  await world.rung.open();
  expect((await world.asked(() => world.rung.settle())).filter((entry) => entry === PROBE)).toHaveLength(1);
  expect(world.rung.findings.probe).toBe("silent");
});

test("the public address, for a router that does not tell its own", async () => {
  await using world = new World();
  expect(await world.rung.publicAddress()).toBeUndefined();
  const opening = world.rung.open();
  expect(await world.rung.publicAddress()).toBe("203.0.113.5");
  await opening;
});

test("a lobby's servers replace the options', and are asked once the rung is open", async () => {
  await using world = new World([]);
  expect(await world.asked(() => world.rung.open())).toEqual([]);
  expect(world.context.steps).toMatchObject([{ step: "stun", outcome: "skipped" }]);
  expect(await world.asked(() => world.rung.use(["stun.test:3478"]))).toEqual([ASK, PROBE, EXAMINE]);
  await using early = new World([]);
  expect(await early.asked(() => early.rung.use(["stun.test:3478"]))).toEqual([]);
  expect(await early.asked(() => early.rung.open())).toEqual([ASK]);
});

test("nobody is asked on loopback, nor after the end", async () => {
  await using loopback = new World(["stun.test:3478"], "127.0.0.1");
  const { rung } = loopback;
  expect(await loopback.asked(async () => void (await Promise.all([rung.open(), rung.refresh()])))).toEqual([]);
  await using ended = new World();
  await ended.rung.open();
  ended.context.end();
  expect(await ended.asked(() => ended.rung.use(["other.test:3478"]))).toEqual([]);
});
