/** PCP and NAT-PMP servers that do what real ones seldom show, and strangers who pretend to be one. */
import { createSocket } from "node:dgram";
import { expect, test } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import { PortMapError, type Via } from "../../sdk/src/gateway/types.ts";
import { PortControlServer as Server, type PortControlServerOptions as ServerOptions } from "./port-control-server.ts";
import { ScriptedGateway } from "./scripted-gateway.ts";

const REQUEST = { internalPort: 7777, protocol: "udp" } as const;

async function withServer(
  options: ServerOptions,
  via: readonly Via[],
  use: (mapper: PortMapper, server: Server, gateway: ScriptedGateway) => Promise<void>,
): Promise<Server> {
  const server = new Server(options);
  await using gateway = await ScriptedGateway.start({ portControl: server.answer });
  await using mapper = new PortMapper({
    via,
    interfaces: gateway.interfaces,
    journal: false,
    watchIntervalMs: 50,
    environment: { ports: gateway.ports, machine: "test" },
  });
  await use(mapper, server, gateway);
  return server;
}

async function refusal(options: ServerOptions, via: Via): Promise<PortMapError> {
  let error: unknown;
  await withServer(options, [via], async (mapper) => {
    error = await mapper.map(REQUEST).then(
      () => expect.fail("it was mapped"),
      (reason: unknown) => reason,
    );
  });
  expect(error).toBeInstanceOf(PortMapError);
  return error as PortMapError;
}

const code =
  (offset: number, result: number): NonNullable<ServerOptions["instead"]> =>
  (datagram, answer) => {
    if (datagram[0] === 2 ? datagram[1] !== 1 : datagram[1] === 0) return undefined;
    answer[offset] = result;
    return [answer];
  };

test.each(["pcp", "nat-pmp"] as const)("%s: maps, and deletes with port 0 and lifetime 0", async (via) => {
  const server = await withServer({}, [via], async (mapper, { table }) => {
    expect(await mapper.map(REQUEST)).toMatchObject({
      via,
      externalPort: 7777,
      externalAddress: "11.22.33.44",
      verified: true,
    });
    expect(table.size).toBe(1);
  });
  expect(server.table.size).toBe(0);
  const last = server.maps().at(-1) ?? Buffer.alloc(0);
  expect(
    via === "pcp" ? [last.readUInt32BE(4), last.readUInt16BE(42)] : [last.readUInt32BE(8), last.readUInt16BE(6)],
  ).toEqual([0, 0]);
});

test("PCP: the nonce of a mapping is kept from the first request to the deletion", async () => {
  const server = await withServer({}, ["pcp"], async (mapper) => {
    const mapping = await mapper.map(REQUEST);
    const renewed = new Promise<void>((resolve) => mapping.once("renewed", () => resolve()));
    mapper.refresh();
    await Promise.race([renewed, new Promise((resolve) => setTimeout(resolve, 1500))]);
  });
  const nonces = new Set(server.maps().map((datagram) => datagram.subarray(24, 36).toString("hex")));
  expect(server.maps().length).toBeGreaterThanOrEqual(3);
  expect(nonces.size).toBe(1);
});

test.each(["pcp", "nat-pmp"] as const)("%s: no lease is believed to last longer than a day", async (via) => {
  await withServer({}, [via], async (mapper) => {
    const mapping = await mapper.map({ ...REQUEST, lifetimeSeconds: 604_800 });
    expect(mapping.expiresAt).toBeGreaterThan(Date.now() + 86_000_000);
    expect(mapping.expiresAt).toBeLessThanOrEqual(Date.now() + 86_400_000);
  });
});

test("a gateway without PCP answers it in version 0: NAT-PMP serves", async () => {
  await withServer({ pcp: false }, ["pcp", "nat-pmp"], async (mapper) => {
    expect((await mapper.map(REQUEST)).via).toBe("nat-pmp");
  });
});

test("PCP without NAT-PMP beside it", async () => {
  await withServer({ natPmp: false }, ["pcp", "nat-pmp"], async (mapper) => {
    expect(await mapper.map(REQUEST)).toMatchObject({ via: "pcp", externalAddress: "11.22.33.44" });
  });
});

test.each<[Via, number, number, string, RegExp]>([
  ["pcp", 3, 2, "refused", /does not let programs map/],
  ["pcp", 3, 7, "double-nat", /no connection/],
  ["pcp", 3, 8, "refused", /no room/],
  ["pcp", 3, 12, "double-nat", /double NAT/],
  ["pcp", 3, 11, "conflict", /all 10 ports tried are taken/],
  ["nat-pmp", 3, 2, "refused", /does not let programs map/],
  ["nat-pmp", 3, 3, "double-nat", /behind another NAT/],
  ["nat-pmp", 3, 4, "refused", /no room/],
])("%s: result at byte %i is %i: %s", async (via, offset, result, kind, words) => {
  const error = await refusal({ instead: code(offset, result) }, via);
  expect(error).toMatchObject({ kind, code: result });
  expect(error.message).toMatch(words);
});

test("PCP: a server that does not know PREFER_FAILURE is asked without", async () => {
  const instead: NonNullable<ServerOptions["instead"]> = (datagram, answer) => {
    if (datagram[1] !== 1 || datagram.length === 60) return undefined;
    answer[3] = 5;
    return [answer];
  };
  await withServer({ instead }, ["pcp"], async (mapper) => {
    expect((await mapper.map(REQUEST)).externalPort).toBe(7777);
  });
});

test("PCP: a server that gives another port than asked is not taken at its word for a pair", async () => {
  const instead: NonNullable<ServerOptions["instead"]> = (datagram, answer) => {
    // TCP comes one higher than asked, whatever is asked.
    if (datagram[1] === 1 && datagram[36] === 6 && datagram.readUInt32BE(4) > 0)
      answer.writeUInt16BE(datagram.readUInt16BE(42) + 1, 42);
    return [answer];
  };
  const server = await withServer({ instead }, ["pcp"], async (mapper) => {
    await expect(mapper.map({ ...REQUEST, protocol: "both" })).rejects.toMatchObject({ kind: "conflict" });
  });
  expect(server.table.size).toBe(0);
});

test.each(["pcp", "nat-pmp"] as const)(
  "%s: a private external address is no success, and nothing is kept",
  async (via) => {
    const error = await refusal({ externalAddress: [192, 168, 0, 2] }, via);
    expect(error.kind).toBe("double-nat");
    expect(error.message).toMatch(/double NAT/);
  },
);

test("answers with a wrong nonce, another port, rubbish and cut ones are passed over; the right one counts", async () => {
  const instead: NonNullable<ServerOptions["instead"]> = (datagram, answer) => {
    if (datagram[1] !== 1) return undefined;
    const nonce = Buffer.from(answer);
    nonce[24] = (nonce[24] ?? 0) ^ 1;
    nonce.writeUInt16BE(6666, 42);
    const port = Buffer.from(answer);
    port.writeUInt16BE(6667, 40);
    return [nonce, port, answer.subarray(0, 58), Buffer.alloc(1200, 2), Buffer.alloc(0), answer];
  };
  await withServer({ instead }, ["pcp"], async (mapper) => {
    expect((await mapper.map(REQUEST)).externalPort).toBe(7777);
  });
});

test("replies from strangers never arrive", async () => {
  const stranger = createSocket("udp4");
  await new Promise<void>((resolve) => stranger.bind(0, "127.0.0.3", resolve));
  const server = new Server({});
  await using gateway = await ScriptedGateway.start({
    portControl: (datagram, from) => {
      const forged = Buffer.from(server.answer(datagram)[0] ?? Buffer.alloc(0));
      if (datagram[0] === 0 && datagram[1] === 1) forged.writeUInt16BE(6666, 10);
      // From another address, and then from another port of the right one.
      stranger.send(forged, from.port, from.address);
      return [];
    },
  });
  await using mapper = new PortMapper({
    via: ["pcp", "nat-pmp"],
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports },
  });
  await expect(mapper.map(REQUEST)).rejects.toMatchObject({ kind: "no-gateway" });
  stranger.close();
});

test.each(["pcp", "nat-pmp"] as const)(
  "%s: an epoch that goes backwards makes the mapping be asked for again",
  async (via) => {
    await withServer({}, [via], async (mapper, server) => {
      const mapping = await mapper.map(REQUEST);
      const renewed = new Promise<string>((resolve) => mapping.once("renewed", ({ reason }) => resolve(reason)));
      server.table.clear();
      server.epoch = 3;
      expect(await renewed).toMatch(/restarted/);
      expect(server.table.size).toBe(1);
    });
  },
);

test("a request that is lost is sent again", async () => {
  let dropped = 0;
  const instead: NonNullable<ServerOptions["instead"]> = (datagram) =>
    datagram[1] === 1 && dropped++ < 2 ? [] : undefined;
  await withServer({ instead }, ["pcp"], async (mapper) => {
    expect((await mapper.map(REQUEST)).externalPort).toBe(7777);
  });
});

test("nobody listens: the system says so at once, and it is told", async () => {
  await using gateway = await ScriptedGateway.start();
  await using mapper = new PortMapper({
    via: ["pcp", "nat-pmp"],
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports },
  });
  const error = (await mapper.map(REQUEST).catch((reason: unknown) => reason)) as PortMapError;
  expect(error.kind).toBe("no-gateway");
  expect(error.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual(["pcp absent", "nat-pmp absent"]);
  expect(error.steps[0]?.reason).toMatch(/nobody listens there/);
});
