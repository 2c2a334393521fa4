import { execFile } from "node:child_process";
import { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { type ConnectivityDependencies } from "../../../../sdk/src/connectivity/dependencies.ts";
import { ConnectivityManager, ManagerWithDependencies } from "../../../../sdk/src/connectivity/manager/manager.ts";
import { type ConnectivityOptions } from "../../../../sdk/src/connectivity/options.ts";
import type { Reachability } from "../../../../sdk/src/connectivity/reachability.ts";
import { type GatewayStep, PortMapError, type PortMapping } from "../../../../sdk/src/gateway/types.ts";
import type { NatLifetime } from "../../../../sdk/src/nat/lifetime.ts";
import type { DefaultRoute } from "../../../../sdk/src/net/default-route.ts";
import { UDPSocket } from "../../../../sdk/src/net/udp-socket.ts";
import type { StunServerOutcome } from "../../../../sdk/src/stun/client.ts";
import { StunError } from "../../../../sdk/src/stun/errors.ts";
import { FakeClock } from "../../gateway/fake.ts";
import { machine } from "../../net/machines.ts";

type Mapper = ReturnType<ConnectivityDependencies["createMapper"]>;

/** A router and STUN servers that answer when the test says so. */
class World {
  readonly mapping: EventEmitter & { [key: string]: unknown } = Object.assign(new EventEmitter(), {
    state: "mapped",
    via: "upnp",
    gateway: { via: "upnp", name: "Acme", address: "192.168.1.1", externalAddress: "11.0.0.9" },
    protocol: "both",
    internalAddress: "192.168.1.5",
    internalPort: 7777,
    externalAddress: "11.0.0.9",
    externalPort: 7777,
    expiresAt: 0,
    verified: true,
    proof: "router",
  }) as never;
  readonly mapped = Promise.withResolvers<PortMapping>();
  readonly stun = Promise.withResolvers<StunServerOutcome[]>();
  readonly mapper = new EventEmitter();
  readonly lifetime = Promise.withResolvers<NatLifetime>();
  /** The servers of each measurement. */
  readonly measured: (readonly string[])[] = [];
  /** Resolves when the router has answered the goodbye. */
  routerCloses = Promise.resolve();
  closed = 0;
  refreshed = 0;
  asked = 0;
  interfaces = machine({ eth0: ["192.168.1.5/24"] });
  defaultRoutes: DefaultRoute[] = [];
  readonly clock = new FakeClock();
  readonly manager: ConnectivityManager;

  constructor(options: ConnectivityOptions = {}) {
    const mapper = Object.assign(this.mapper, {
      map: () => this.mapped.promise,
      gateways: () => [],
      mappings: () => [],
      refresh: () => void this.refreshed++,
      close: () => (this.closed++, this.routerCloses),
    }) as unknown as Mapper;
    this.manager = new ManagerWithDependencies(
      { port: 0, via: ["upnp"], stunServers: ["stun.test:3478"], ...options },
      {
        createMapper: () => mapper,
        stun: async (_socket, _servers, options) => {
          const { onOutcome } = options ?? {};
          this.asked++;
          const outcomes = await this.stun.promise;
          for (const outcome of outcomes) onOutcome?.(outcome);
          return outcomes;
        },
        natLifetime: (servers) => {
          this.measured.push(servers);
          return this.lifetime.promise;
        },
        interfaces: () => this.interfaces,
        defaultRoutes: async () => this.defaultRoutes,
        clock: this.clock,
      },
    );
  }

  grant(): void {
    this.mapped.resolve(this.mapping as unknown as PortMapping);
  }

  refuse(reason: string): void {
    const steps: GatewayStep[] = [{ step: "upnp", outcome: "refused", ms: 3, reason, code: 606 }];
    this.mapped.reject(new PortMapError("refused", reason, { steps }));
  }

  see(port = 7777): void {
    this.stun.resolve([{ server: "stun.test:3478", mapped: { address: "11.0.0.9", port } }]);
  }

  silence(): void {
    this.stun.resolve([{ server: "stun.test:3478", error: new StunError("timeout", "No answer within 3000 ms.") }]);
  }

  change(fits: (reachability: Reachability) => boolean): Promise<Reachability> {
    return new Promise((resolve) => {
      this.manager.on("change", (reachability) => {
        if (fits(reachability)) resolve(reachability);
      });
    });
  }
}

const worlds: World[] = [];
function world(options?: ConnectivityOptions): World {
  const made = new World(options);
  worlds.push(made);
  return made;
}

afterEach(async () => {
  for (const { manager } of worlds.splice(0)) await manager.close();
});

test("open() answers as soon as a stranger can dial in, while STUN is still out", async () => {
  const { manager, ...rest } = world({ openTimeoutMs: 60_000 });
  const opening = manager.open();
  worlds[0]?.grant();
  expect(await opening).toMatchObject({ verdict: "mapped" });
  expect(rest.closed).toBe(0);
});

test("open() answers at once where the machine has a public address", async () => {
  const made = world();
  made.interfaces = machine({ eth0: ["11.0.0.2/24"] });
  expect(await made.manager.open()).toMatchObject({ verdict: "open" });
});

test("a rung that throws stops no other", async () => {
  const clock = new FakeClock();
  const manager = new ManagerWithDependencies(
    { port: 0, via: ["upnp"], stunServers: [] },
    {
      createMapper: () => {
        throw new Error("no router for you");
      },
      interfaces: () => machine({ eth0: ["192.168.1.5/24"] }),
      defaultRoutes: async () => [],
      clock,
    },
  );
  const { steps } = await manager.open();
  expect(steps.map(({ step }) => step)).toEqual(["interfaces", "stun"]);
  // Not reported as an unhandled rejection either.
  await clock.advance(1);
  await expect(manager.settled()).rejects.toThrow("no router for you");
  await manager.close();
});

test("open() answers at its limit, and what is learnt later comes as change", async () => {
  const made = world();
  const opening = made.manager.open();
  await made.clock.advance(1000);
  expect(await opening).toMatchObject({ verdict: "lan-only" });
  const punchable = made.change(({ verdict }) => verdict === "punchable");
  made.see();
  await punchable;
  const mapped = made.change(({ verdict }) => verdict === "mapped");
  made.grant();
  expect((await mapped).summary).toContain("11.0.0.9:7777");
});

test("the address of the default route is told first, bridges of this machine not at all, and the only address always", async () => {
  const hosts = (made: World): string[] =>
    made.manager.reachability.endpoints.filter(({ protocol }) => protocol === "udp").map(({ address }) => address);
  const open = async (made: World): Promise<void> => {
    made.refuse("Acme: no");
    made.silence();
    await made.manager.open();
    await made.manager.settled();
  };

  const many = world();
  many.interfaces = machine({
    "vEthernet (WSL)": ["172.20.192.1/20"],
    Ethernet: ["192.168.1.5/24"],
    WLAN: ["192.168.2.5/24"],
    Tailscale: ["100.101.102.103/32"],
  });
  many.defaultRoutes = [{ family: 4, interfaceName: "WLAN", gateway: "192.168.2.1", metric: 25 }];
  await open(many);
  await expect.poll(() => hosts(many)).toEqual(["192.168.2.5", "192.168.1.5", "100.101.102.103"]);
  expect(many.manager.reachability.summary).toContain("192.168.2.5:");

  const switched = world();
  switched.interfaces = machine({ "vEthernet (External Switch)": ["192.168.1.5/24"], WLAN: ["192.168.2.5/24"] });
  switched.defaultRoutes = [
    { family: 4, interfaceName: "vEthernet (External Switch)", gateway: "192.168.1.1", metric: 25 },
  ];
  await open(switched);
  await expect.poll(() => hosts(switched)).toEqual(["192.168.1.5", "192.168.2.5"]);

  const alone = world();
  alone.interfaces = machine({ docker0: ["172.17.0.1/16"] });
  await open(alone);
  expect(hosts(alone)).toEqual(["172.17.0.1"]);
});

test("when everything failed each step has a reason and the sentence has the best one", async () => {
  const made = world({ openTimeoutMs: 60_000 });
  const opening = made.manager.open();
  made.refuse("Acme: the router does not allow this machine to open ports (606).");
  made.silence();
  const { verdict, summary, steps } = await opening;
  expect(verdict).toBe("lan-only");
  expect(summary).toContain("does not allow this machine to open ports (606)");
  expect(steps).toContainEqual(expect.objectContaining({ step: "upnp", outcome: "refused" }));
  expect(steps.find(({ step }) => step === "stun")?.reason).toContain("No answer within 3000 ms");
});

test("a lost mapping is news, and so is its return", async () => {
  const made = world();
  const opening = made.manager.open();
  made.grant();
  await opening;
  const lost = made.change(({ verdict }) => verdict !== "mapped");
  made.mapping["state"] = "lost";
  made.mapping.emit("lost", { event: "lost", mapping: made.mapping, reason: "the router restarted", ms: 5 });
  expect((await lost).steps).toContainEqual(expect.objectContaining({ reason: "the router restarted" }));
  const back = made.change(({ verdict }) => verdict === "mapped");
  made.mapping["state"] = "mapped";
  made.mapping.emit("mapped", { event: "mapped", mapping: made.mapping, reason: "Acme forwards the port", ms: 5 });
  await back;
});

test("a mapping that the mapper gets later, in the background, is taken", async () => {
  const made = world({ openTimeoutMs: 60_000 });
  const opening = made.manager.open();
  made.refuse("Acme: busy");
  made.silence();
  await opening;
  const mapped = made.change(({ verdict }) => verdict === "mapped");
  made.mapper.emit("mapped", { event: "mapped", mapping: made.mapping, reason: "at last", ms: 5 });
  await mapped;
});

test("periodic re-query asks the mapper and STUN anew", async () => {
  const made = world();
  const opening = made.manager.open();
  made.see();
  made.grant();
  await opening;
  expect([made.refreshed, made.asked]).toEqual([0, 1]);
  await made.clock.advance(600_000);
  expect(made.refreshed).toBe(2);
  // The socket's keep-alive asks more often where nothing is mapped; here it is.
  expect(made.asked).toBe(3);
});

test("close() while the ladder is climbed ends open(), closes the mapper, and frees the port", async () => {
  const made = world({ openTimeoutMs: 60_000 });
  const opening = made.manager.open();
  const { port } = made.manager;
  await made.manager.close();
  await opening;
  expect(made.closed).toBe(1);
  const again = UDPSocket.open({ port });
  await again.close();
});

test("close() waits 4 s for a router that no longer answers, and leaves no timer", async () => {
  const made = world();
  const opening = made.manager.open();
  made.grant();
  await opening;
  const { port } = made.manager;
  const router = Promise.withResolvers<void>();
  made.routerCloses = router.promise;
  let isClosed = false;
  const closing = made.manager.close().then(() => (isClosed = true));
  await made.clock.advance(3_999);
  expect(isClosed).toBe(false);
  await made.clock.advance(1);
  await closing;
  expect(made.clock.pending).toBe(0);
  const again = UDPSocket.open({ port });
  await again.close();
  router.resolve();
});

test("open() and close() keep the process alive as long as they are awaited", async () => {
  const program = fileURLToPath(new URL("unreferenced.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env: { PATH: process.env["PATH"] } });
  expect(stdout).toBe("opened\nclosed\n");
});

test("an aborted open() rejects and closes", async () => {
  const made = world({ openTimeoutMs: 60_000 });
  const controller = new AbortController();
  const opening = made.manager.open({ signal: controller.signal });
  controller.abort();
  await expect(opening).rejects.toThrow(/abort/i);
  await expect.poll(() => made.closed).toBe(1);
});

test("a taken port is a typed error that names the port", async () => {
  const taken = UDPSocket.open();
  const made = world({ port: taken.localPort });
  await expect(made.manager.open()).rejects.toThrow(String(taken.localPort));
  await taken.close();
});

test.each([-1, 65_536, 1.5, Number.NaN])("port %s is refused before anything is opened", (port) => {
  expect(() => new ConnectivityManager({ port })).toThrow(/0 to 65535/);
});

test("silences that are none are refused before anything is opened", () => {
  expect(() => new ConnectivityManager({ lifetimeWaitsMs: [0] })).toThrow(/between 0 and an hour/);
});

test("a game on loopback asks nobody", async () => {
  const made = world({ address: "127.0.0.1" });
  const { verdict, steps } = await made.manager.open();
  expect(verdict).toBe("lan-only");
  expect(made.asked).toBe(0);
  expect(steps.filter(({ outcome }) => outcome === "skipped").map(({ step }) => step)).toEqual([
    "pcp",
    "nat-pmp",
    "upnp",
    "stun",
  ]);
});

test("connectivity.udp is a UDPServer on the game's socket", async () => {
  const made = world({ address: "127.0.0.1" });
  await made.manager.open();
  const { udp, port } = made.manager;
  const client = UDPSocket.open({ address: "127.0.0.1" });
  client.send(Buffer.from("hello"), port, "127.0.0.1");
  await expect.poll(() => udp.poll() === 0 && udp.isConnectionAvailable()).toBe(true);
  expect(udp.takeConnection()?.getPacket().toString()).toBe("hello");
  await client.close();
});

describe("the NAT's memory", () => {
  const measured: NatLifetime = { seconds: 28, goneAfterSeconds: 30, outcome: "measured" };

  test("is measured in the background where invites depend on it, and open() does not wait", async () => {
    const made = world({ openTimeoutMs: 60_000 });
    const opening = made.manager.open();
    made.refuse("Acme: no");
    made.see(9999);
    expect((await opening).nat.mappingLifetimeSeconds).toBeNull();
    const known = made.change(({ nat }) => nat.mappingLifetimeSeconds !== null);
    made.lifetime.resolve(measured);
    const { nat, steps } = await known;
    expect(nat.mappingLifetimeSeconds).toBe(28);
    expect(steps.find(({ step }) => step === "lifetime")).toMatchObject({
      outcome: "ok",
      reason: expect.stringMatching(/forgets a silent connection after about 29 s; .* every 14 s/),
    });
    await made.manager.refresh();
    expect(made.measured).toEqual([["stun.test:3478"]]);
  });

  test("is nobody's business while the router forwards the port, until it no longer does", async () => {
    const made = world();
    const opening = made.manager.open();
    made.grant();
    made.see();
    await opening;
    await made.manager.settled();
    await made.manager.refresh();
    expect(made.measured).toEqual([]);
    made.mapping["state"] = "lost";
    made.mapping.emit("lost", { event: "lost", mapping: made.mapping, reason: "the router restarted", ms: 5 });
    await made.manager.refresh();
    expect(made.measured).toHaveLength(1);
  });

  test("nor without a NAT, or without servers that answer, or when switched off", async () => {
    const direct = world();
    direct.interfaces = machine({ eth0: ["11.0.0.9/24"] });
    const silent = world();
    const off = world({ lifetimeWaitsMs: [] });
    for (const made of [direct, silent, off]) {
      const opening = made.manager.open();
      made.refuse("Acme: no");
      if (made === silent) made.silence();
      else made.see(made === direct ? made.manager.port : 9999);
      await opening;
      await made.manager.refresh();
      expect(made.measured).toEqual([]);
    }
  });

  test("is measured anew in another network, and by other servers where those before could not tell", async () => {
    const made = world();
    const opening = made.manager.open();
    made.refuse("Acme: no");
    made.see(9999);
    await opening;
    made.lifetime.resolve({ seconds: null, goneAfterSeconds: null, outcome: "untold" });
    await made.change(({ steps }) => steps.some(({ step }) => step === "lifetime"));
    await made.manager.refresh();
    expect(made.measured).toHaveLength(1);
    const outcomes = await made.stun.promise;
    outcomes.push({ server: "other.test", mapped: { address: "11.0.0.9", port: 9999 } });
    await made.manager.refresh();
    expect(made.measured).toEqual([["stun.test:3478"], ["stun.test:3478", "other.test"]]);
    made.interfaces = machine({ wlan0: ["192.168.7.5/24"] });
    await made.clock.advance(3_000);
    expect(made.measured).toHaveLength(3);
  });

  test("without a server that answers there is nothing to measure it with, and that is said", async () => {
    const made = world();
    const opening = made.manager.open();
    made.refuse("Acme: no");
    made.silence();
    await opening;
    const { steps } = await made.manager.measureLifetime();
    expect(steps.find(({ step }) => step === "lifetime")).toMatchObject({ outcome: "skipped" });
    expect(made.measured).toEqual([]);
  });

  test("close() ends a measurement", async () => {
    const made = world();
    const opening = made.manager.open();
    made.refuse("Acme: no");
    made.see(9999);
    await opening;
    await expect.poll(() => made.measured.length).toBe(1);
    await made.manager.close();
    made.lifetime.resolve(measured);
    expect(made.manager.reachability.nat.mappingLifetimeSeconds).toBeNull();
  });
});

test("the process' end is guarded from open() to close(), by one handler for all managers", async () => {
  const idle = process.listenerCount("SIGTERM");
  const [first, second, careless] = [world(), world(), world({ signals: false })];
  expect(process.listenerCount("SIGTERM")).toBe(idle);
  for (const made of [careless, first, second]) {
    const opening = made.manager.open();
    made.grant();
    await opening;
    expect(process.listenerCount("SIGTERM")).toBe(made === careless ? idle : idle + 1);
  }
  await first.manager.close();
  expect(process.listenerCount("SIGTERM")).toBe(idle + 1);
  await second.manager.close();
  expect(process.listenerCount("SIGTERM")).toBe(idle);
});
