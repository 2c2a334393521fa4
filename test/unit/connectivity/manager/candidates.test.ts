import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { feedIce } from "../../../../sdk/src/connectivity/manager/candidates.ts";
import type { Reachability } from "../../../../sdk/src/connectivity/reachability.ts";
import { assess, type Findings } from "../../../../sdk/src/connectivity/verdict.ts";
import type { LocalCandidate } from "../../../../sdk/src/ice/candidate.ts";
import type { TurnRelay } from "../../../../sdk/src/turn/relay.ts";

const HOME = { name: "eth0", address: "192.168.1.5" };
const PUBLIC = { server: "stun.test:3478", address: "11.0.0.9", port: 40_000 };

/** A manager whose findings the test sets, and an ICE that writes down what it is given. */
class World extends EventEmitter<{ change: [reachability: Reachability] }> {
  readonly log: string[] = [];
  relay: TurnRelay | undefined;
  reachability = reachability({});

  constructor() {
    super();
    const note = (what: string) => (candidate: LocalCandidate) =>
      void this.log.push(`${what} ${candidate.type} ${candidate.address}:${candidate.port}`);
    feedIce(
      {
        addLocalCandidate: note("add"),
        removeLocalCandidate: note("remove"),
        addRelay: ({ id }) => this.log.push(`add ${id}`) as never,
        removeBase: (id) => void this.log.push(`remove ${id}`),
        fitKeepAlive: (seconds) => void this.log.push(`fit ${seconds}`),
        networkChanged: () => void this.log.push("network changed"),
      },
      this,
      () => this.relay,
    );
  }

  /** @returns what ICE was given by it */
  find(findings: Partial<Findings>): string[] {
    this.log.length = 0;
    this.reachability = reachability(findings);
    this.emit("change", this.reachability);
    return this.log;
  }
}

function reachability(findings: Partial<Findings>): Reachability {
  const nothing = { localPort: 7777, interfaces: [], mappings: [], reflexive: [], gateways: [], steps: [] };
  return assess({ ...nothing, ...findings });
}

const relay = (id: string): TurnRelay => ({ id }) as unknown as TurnRelay;

test("candidates come and go with the endpoints; ICE restarts its checks when an interface is gone", () => {
  const world = new World();
  expect(world.log).toEqual([]);
  expect(world.find({ interfaces: [HOME] })).toEqual(["add host 192.168.1.5:7777"]);
  expect(world.find({ interfaces: [HOME], reflexive: [PUBLIC] })).toEqual(["add reflexive 11.0.0.9:40000"]);
  expect(world.find({ interfaces: [HOME], reflexive: [PUBLIC] })).toEqual([]);
  expect(world.find({ interfaces: [{ name: "wlan0", address: "192.168.7.5" }], reflexive: [PUBLIC] })).toEqual([
    "remove host 192.168.1.5:7777",
    "add host 192.168.7.5:7777",
    "network changed",
  ]);
});

test("the relay that serves is a base, and a lost one is none", () => {
  const world = new World();
  world.relay = relay("relay:1");
  expect(world.find({})).toEqual(["add relay:1"]);
  expect(world.find({})).toEqual([]);
  world.relay = relay("relay:2");
  expect(world.find({})).toEqual(["remove relay:1", "add relay:2"]);
  world.relay = undefined;
  expect(world.find({})).toEqual(["remove relay:2"]);
});

test("the keep-alive is fitted once for each lifetime", () => {
  const world = new World();
  expect(world.find({ mappingLifetimeSeconds: 16 })).toEqual(["fit 16"]);
  expect(world.find({ mappingLifetimeSeconds: 16 })).toEqual([]);
  expect(world.find({ mappingLifetimeSeconds: null })).toEqual(["fit null"]);
});
