import { expect, test } from "vitest";
import type { ConnectivityOptions } from "../../../../sdk/src/connectivity/options.ts";
import { RelayRung } from "../../../../sdk/src/connectivity/rungs/relay.ts";
import { TurnError } from "../../../../sdk/src/turn/errors.ts";
import type { TurnKeeperOptions } from "../../../../sdk/src/turn/keeper.ts";
import type { TurnServer } from "../../../../sdk/src/turn/open.ts";
import type { TurnRelay } from "../../../../sdk/src/turn/relay.ts";
import { TestContext } from "./context.ts";

const OLD: TurnServer = { urls: "turn:192.0.2.1:3478", username: "old", credential: "old" };
const NEW: TurnServer = { urls: "turn:192.0.2.1:3478", username: "new", credential: "new" };

/** A keeper whose relays come and go when the test says so. */
class World implements AsyncDisposable {
  readonly keepers: TurnKeeperOptions[] = [];
  readonly fitted: (number | null)[] = [];
  readonly context: TestContext;
  readonly rung: RelayRung;
  closed = 0;

  constructor(options: ConnectivityOptions = {}) {
    this.context = new TestContext(options, {
      createTurnKeeper: (keeper) => {
        this.keepers.push(keeper);
        return { close: async () => void this.closed++ };
      },
    });
    this.rung = new RelayRung(this.context);
  }

  grant(port: number): void {
    const relay = {
      id: `relay:${port}`,
      server: { address: "192.0.2.1", port: 3478 },
      relayed: { address: "192.0.2.1", port },
      fitKeepAlive: (seconds: number | null) => void this.fitted.push(seconds),
    };
    this.keepers[0]?.onRelay(relay as unknown as TurnRelay);
  }

  lose(): void {
    this.keepers[0]?.onLost?.(new TurnError("timeout", "No answer within 10 s."), 1_500);
  }

  async servers(): Promise<readonly TurnServer[] | undefined> {
    const servers = this.keepers[0]?.servers;
    return typeof servers === "function" ? await servers(this.context.signal) : servers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context[Symbol.asyncDispose]();
  }
}

test("without servers nothing is asked, until a lobby names some", async () => {
  await using world = new World();
  await world.rung.use([OLD]);
  expect(world.keepers).toHaveLength(0);
  await using named = new World();
  await named.rung.open();
  expect(named.keepers).toHaveLength(0);
  const used = named.rung.use([OLD]);
  named.grant(50_000);
  await used;
  expect(named.rung.findings).toEqual({ relayed: [{ address: "192.0.2.1", port: 50_000, expiresAt: 0 }] });
});

test("open() waits for the first attempt, well or not, and a lost relay is replaced", async () => {
  await using world = new World({ turnServers: [OLD] });
  const opened = world.rung.open();
  await world.context.clock.advance(2_000);
  world.lose();
  await opened;
  expect(world.context.steps.at(-1)).toEqual({
    step: "turn",
    outcome: "failed",
    ms: 2_000,
    reason: "No relay: No answer within 10 s; the next attempt comes in 2 s.",
  });
  world.grant(50_000);
  expect(world.context.steps.at(-1)).toMatchObject({ outcome: "ok", ms: 0 });
  world.lose();
  expect(world.context.steps.at(-1)?.reason).toMatch(/^The relay is lost: /);
  expect(world.rung.findings).toEqual({ relayed: [] });
  world.grant(50_001);
  expect(world.rung.relay?.id).toBe("relay:50001");
});

test("newer credentials serve the next attempt, and keep the relay that serves", async () => {
  await using world = new World({ turnServers: [OLD] });
  const opened = world.rung.open();
  world.grant(50_000);
  await opened;
  await world.rung.use([NEW]);
  expect(world.keepers).toHaveLength(1);
  expect(await world.servers()).toEqual([NEW]);
  expect(world.rung.relay?.id).toBe("relay:50000");
});

test("the keep-alive is fitted to the NAT, for each relay that follows too", async () => {
  await using world = new World({ turnServers: [OLD] });
  void world.rung.open();
  world.grant(50_000);
  world.rung.fitKeepAlive(16);
  world.lose();
  world.grant(50_001);
  expect(world.fitted).toEqual([null, 16, 16]);
});

test("the end of the manager ends open() and gives the relay back", async () => {
  await using world = new World({ turnServers: [OLD] });
  const opened = world.rung.open();
  world.context.end();
  await opened;
  await world.rung.close();
  expect(world.closed).toBe(1);
});
