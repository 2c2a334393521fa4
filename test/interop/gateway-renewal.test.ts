/** What is told of a mapping after it was made is so: renewed, changed, lost, unmapped. */
import { createSocket } from "node:dgram";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import type { Via } from "../../sdk/src/gateway/types.ts";
import { removeState } from "../remove-state.ts";
import { entryOf, eventsOf, fastClock, mapperAt, REQUEST, withMapping } from "./gateway-mapping.ts";
import { PortControlServer, type PortControlServerOptions } from "./port-control-server.ts";
import { Fault, ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-renewal-"));
});
afterEach(() => removeState(state));

/** The external ports on record. */
function recorded(): number[] {
  return readdirSync(state)
    .filter((name) => name.startsWith("mappings-"))
    .flatMap(
      (name) =>
        (JSON.parse(readFileSync(join(state, name), "utf8")) as { entries: { externalPort: number }[] }).entries,
    )
    .map(({ externalPort }) => externalPort);
}

async function withServer(
  via: Via,
  options: PortControlServerOptions,
  mapperOptions: ConstructorParameters<typeof PortMapper>[0],
  use: (mapper: PortMapper, server: PortControlServer, gateway: ScriptedGateway) => Promise<void>,
): Promise<void> {
  const server = new PortControlServer(options);
  await using gateway = await ScriptedGateway.start({ search: () => [], portControl: server.answer });
  await using mapper = mapperAt(gateway, { via: [via], ...mapperOptions });
  await use(mapper, server, gateway);
}

describe("renewed", () => {
  /** Keeps an entry's first lease whatever is asked later, as some routers do; it lapses by the router's own clock. */
  function keepingFirstLease(now: () => number): ScriptedOptions {
    const endsAt = new Map<string, number>();
    const keyOf = (input: Readonly<Record<string, string>>): string =>
      `${input["NewProtocol"]} ${input["NewExternalPort"]}`;
    const lapse = ({ table }: ScriptedGateway): void => {
      for (const [key, end] of endsAt) {
        if (end > now()) continue;
        table.delete(key);
        endsAt.delete(key);
      }
    };
    return {
      actions: {
        AddPortMapping: (input, gateway) => {
          lapse(gateway);
          if (!endsAt.has(keyOf(input))) endsAt.set(keyOf(input), now() + Number(input["NewLeaseDuration"]) * 1000);
          return undefined;
        },
        DeletePortMapping: (input) => {
          endsAt.delete(keyOf(input));
          return undefined;
        },
        GetSpecificPortMappingEntry: (input, gateway) => {
          lapse(gateway);
          const entry = gateway.table.get(keyOf(input));
          if (entry) entry.lease = Math.ceil(((endsAt.get(keyOf(input)) ?? 0) - now()) / 1000);
          return undefined;
        },
      },
    };
  }

  test("re-adding does not prolong: the entry is replaced before it lapses, and what is told is so", async () => {
    const clock = fastClock(20);
    await withMapping(
      keepingFirstLease(() => clock.now()),
      async (mapping, _gateway, events) => {
        const ends: number[] = [];
        mapping.on("renewed", () => ends.push(mapping.expiresAt));
        const first = mapping.expiresAt;
        await expect.poll(() => ends.length >= 3 || events.some(({ event }) => event === "lost")).toBe(true);
        expect(events.map(({ event }) => event)).not.toContain("lost");
        for (const [index, end] of ends.entries()) expect(end).toBeGreaterThan((ends[index - 1] ?? first) + 3000);
      },
      { request: { ...REQUEST, lifetimeSeconds: 60 }, mapper: { environment: { clock } } },
    );
  });

  test("looks that prolong nothing tell nothing", async () => {
    await withMapping(
      {},
      async (_mapping, gateway, events) => {
        const looks = gateway.count("GetSpecificPortMappingEntry");
        await expect.poll(() => gateway.count("GetSpecificPortMappingEntry") - looks).toBeGreaterThanOrEqual(4);
        expect(events.map(({ event }) => event)).toEqual(["mapped"]);
      },
      { mapper: { watchIntervalMs: 1000, environment: { clock: fastClock(20) } } },
    );
  });
});

describe("a mapping deleted behind our back", () => {
  const WATCH_MS = 30_000;

  test.each<Via>(["pcp", "nat-pmp"])("%s: it is back within a minute, without an announcement", async (via) => {
    const clock = fastClock(20);
    await withServer(via, { now: () => clock.now() }, { environment: { clock } }, async (mapper, server) => {
      await mapper.map(REQUEST);
      const deleted = clock.now();
      server.table.clear();
      await expect.poll(() => server.table.has("17 7777")).toBe(true);
      expect(clock.now() - deleted).toBeLessThan(2.2 * WATCH_MS);
    });
  });

  test("upnp: it is back within a minute, without an event", async () => {
    const clock = fastClock(20);
    await withMapping(
      {},
      async (_mapping, { table }) => {
        const deleted = clock.now();
        table.clear();
        await expect.poll(() => table.has("UDP 7777")).toBe(true);
        expect(clock.now() - deleted).toBeLessThan(2.2 * WATCH_MS);
      },
      { mapper: { environment: { clock } } },
    );
  });

  test.each<Via>(["pcp", "nat-pmp"])("%s: it comes back at another port: told, and on record", async (via) => {
    let shift = 0;
    const instead: NonNullable<PortControlServerOptions["instead"]> = (datagram, right) => {
      const isPcp = datagram[0] === 2;
      const isMap = isPcp ? datagram[1] === 1 : datagram[1] !== 0;
      if (!isMap || datagram.readUInt32BE(isPcp ? 4 : 8) === 0) return undefined;
      right.writeUInt16BE(7777 + shift, isPcp ? 42 : 10);
      return [right];
    };
    const options = { watchIntervalMs: 1000, journal: state, environment: { clock: fastClock(10) } };
    await withServer(via, { instead }, options, async (mapper) => {
      const mapping = await mapper.map(REQUEST);
      expect(recorded()).toEqual([7777]);
      shift = 3;
      await expect.poll(() => mapping.externalPort).toBe(7780);
      expect(recorded()).toEqual([7780]);
    });
    expect(recorded()).toEqual([]);
  });
});

test("a renewal that is given another port leaves none of the old one on record", async () => {
  let port = 7777;
  const instead: NonNullable<PortControlServerOptions["instead"]> = (datagram, right) => {
    if (datagram[1] !== 1 || datagram.readUInt32BE(4) === 0) return undefined;
    right.writeUInt16BE(port, 42);
    return [right];
  };
  const clock = fastClock(50);
  const options = { watchIntervalMs: 1e9, renewIntervalMs: 1e9, journal: state, environment: { clock } };
  await withServer("pcp", { natPmp: false, instead }, options, async (mapper) => {
    const mapping = await mapper.map({ ...REQUEST, lifetimeSeconds: 120 });
    port = 7790;
    await expect.poll(() => mapping.externalPort).toBe(7790);
    expect(recorded()).toEqual([7790]);
  });
});

describe("what anybody on the LAN may say", () => {
  /** An announcement in the router's name, from its own address: anybody can forge that. */
  async function forge(bytes: Uint8Array, port: number): Promise<void> {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.2", resolve));
    await new Promise<void>((resolve) => socket.send(bytes, port, "127.0.0.1", () => resolve()));
    socket.close();
  }
  /** RFC 6886 section 3.2.1, with an external address of the attacker's choice. */
  const natPmp = Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 1, 6, 6, 6, 6);
  /** RFC 6887 section 14.1, with an epoch that began a second ago. */
  const pcp = new Uint8Array(24);
  pcp.set([2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

  test.each<[Via, string, Uint8Array]>([
    ["nat-pmp", "NAT-PMP", natPmp],
    ["nat-pmp", "PCP", pcp],
    ["pcp", "NAT-PMP", natPmp],
    ["pcp", "PCP", pcp],
  ])("%s: a forged announcement of %s starts a question, and changes nothing", async (via, _name, bytes) => {
    const free = createSocket("udp4");
    await new Promise<void>((resolve) => free.bind(0, resolve));
    const announcements = free.address().port;
    await new Promise<void>((resolve) => free.close(resolve));
    const server = new PortControlServer({});
    await using gateway = await ScriptedGateway.start({ search: () => [], portControl: server.answer });
    await using mapper = mapperAt(gateway, {
      via: [via],
      watchIntervalMs: 1e9,
      environment: { ports: { ...gateway.ports, announcements }, random: () => 0 },
    });
    const events = eventsOf(mapper);
    const mapping = await mapper.map(REQUEST);
    const before = server.seen.length;
    await forge(bytes, announcements);
    // The router itself was asked, for the mapping and for its address or its epoch.
    await expect.poll(() => server.seen.length - before).toBeGreaterThanOrEqual(2);
    await expect.poll(() => events.map(({ event }) => event)).toContain("renewed");
    expect(events.map(({ event }) => event)).not.toContain("changed");
    expect(mapping.externalAddress).toBe("11.22.33.44");
  });
});

describe("late answers", () => {
  /** Answers each mapping request at once and once more when the deletion is asked for, and the deletion never. */
  const late = (): PortControlServerOptions => {
    let answer: Buffer | undefined;
    return {
      instead: (datagram, right) => {
        const isPcp = datagram[0] === 2;
        const isMap = isPcp ? datagram[1] === 1 : datagram[1] !== 0;
        if (!isMap) return undefined;
        if (datagram.readUInt32BE(isPcp ? 4 : 8) > 0) {
          answer = Buffer.from(right);
          return undefined;
        }
        return [answer ?? right, right];
      },
    };
  };

  test.each<Via>(["pcp", "nat-pmp"])("%s: an answer to the request is no answer to the deletion", async (via) => {
    const events: string[] = [];
    await withServer(via, late(), {}, async (mapper, server) => {
      mapper.on("unmapped", ({ reason }) => events.push(reason));
      await mapper.map(REQUEST);
      await mapper.close();
      expect(server.table.size).toBe(0);
    });
    expect(events).toEqual(["it was given back"]);
  });

  test.each<Via>(["pcp", "nat-pmp"])("%s: an answer to a deletion is no answer to the next request", async (via) => {
    let deletion: Buffer | undefined;
    const instead: NonNullable<PortControlServerOptions["instead"]> = (datagram, right) => {
      const isPcp = datagram[0] === 2;
      const isMap = isPcp ? datagram[1] === 1 : datagram[1] !== 0;
      if (!isMap) return undefined;
      if (datagram.readUInt32BE(isPcp ? 4 : 8) === 0) {
        deletion = Buffer.from(right);
        return undefined;
      }
      // The same nonce: what is given back in a moment is asked for again.
      if (deletion === undefined) return undefined;
      if (isPcp) datagram.copy(deletion, 24, 24, 36);
      return [deletion, right];
    };
    await withServer(via, { instead }, {}, async (mapper) => {
      const first = await mapper.map(REQUEST);
      await first.unmap();
      expect(await mapper.map(REQUEST)).toMatchObject({ via, externalPort: 7777 });
    });
  });
});

test("a look that is not answered and then 'gone': given back and made again at the same router", async () => {
  let silentLooks = 0;
  let isSilent = false;
  await using gateway = await ScriptedGateway.start({
    raw: (socket, { body }) => {
      if (!isSilent || !body.includes("GetSpecificPortMappingEntry")) return false;
      silentLooks++;
      socket.resetAndDestroy();
      return true;
    },
  });
  await using mapper = mapperAt(gateway, { watchIntervalMs: 2000, environment: { clock: fastClock(10) } });
  const events = eventsOf(mapper);
  await mapper.map({ ...REQUEST, protocol: "both" });
  const descriptions = (): number => gateway.requests.filter(({ method }) => method === "GET").length;
  const before = descriptions();
  isSilent = true;
  await expect.poll(() => silentLooks).toBe(1);
  // One of two entries is gone: the other is to be given back.
  gateway.table.delete("UDP 7777");
  isSilent = false;
  await expect.poll(() => events.map(({ event }) => event)).toEqual(["mapped", "lost", "mapped"]);
  expect([...gateway.table.keys()].sort()).toEqual(["TCP 7777", "UDP 7777"]);
  expect(gateway.count("DeletePortMapping")).toBeGreaterThanOrEqual(1);
  // The driver stayed: the router was not searched for.
  expect(descriptions()).toBe(before);
});

describe("remake", () => {
  test("deletes the entry and adds it again, at the same port", async () => {
    const { gateway } = await withMapping({}, async (mapping, scripted, events) => {
      expect(await mapping.remake("no packet from outside came in")).toBe(true);
      expect(scripted.count("DeletePortMapping")).toBe(1);
      expect(scripted.table.has("UDP 7777")).toBe(true);
      expect(events.at(-1)).toMatchObject({ event: "renewed" });
      expect(events.at(-1)?.reason).toMatch(/deleted and added again: no packet from outside/);
    });
    expect(gateway.table.size).toBe(0);
  });

  test.each<Via>(["pcp", "nat-pmp"])("%s", async (via) => {
    await withServer(via, {}, {}, async (mapper, server) => {
      const mapping = await mapper.map({ ...REQUEST, protocol: "both" });
      expect(await mapping.remake("no packet from outside came in")).toBe(true);
      expect([...server.table.keys()].sort()).toEqual(["17 7777", "6 7777"]);
    });
  });

  test("adding it again fails: lost, and made elsewhere; a mapping that does not hold is not remade", async () => {
    let refuses = false;
    await withMapping(
      {
        actions: {
          DeletePortMapping: (input, { table }) => {
            if (refuses) setImmediate(() => table.set(`UDP ${input["NewExternalPort"]}`, entryOf()));
            return undefined;
          },
        },
      },
      async (mapping, _gateway, events) => {
        refuses = true;
        const remade = mapping.remake("no packet from outside came in");
        await expect.poll(() => events.map(({ event }) => event)).toContain("lost");
        refuses = false;
        expect(await remade).toBe(false);
        await expect.poll(() => mapping.state).toBe("mapped");
        expect(mapping.externalPort).not.toBe(7777);
        await mapping.unmap();
        expect(await mapping.remake("again")).toBe(false);
      },
    );
  });
});

test("a renewal that is refused while the lease runs is tried again, and is no loss", async () => {
  let refused = 0;
  const clock = fastClock(20);
  await withMapping(
    { actions: { AddPortMapping: () => (refused > 0 && refused++ < 3 ? new Fault(606) : undefined) } },
    async (mapping, _gateway, events) => {
      refused = 1;
      const renewed = new Promise<void>((resolve) => mapping.once("renewed", () => resolve()));
      await renewed;
      expect(events.map(({ event }) => event)).toEqual(["mapped", "renewed"]);
    },
    { request: { ...REQUEST, lifetimeSeconds: 60 }, mapper: { watchIntervalMs: 1e9, environment: { clock } } },
  );
});
