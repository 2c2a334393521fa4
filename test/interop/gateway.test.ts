import { expect, test } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import type { MapRequest } from "../../sdk/src/gateway/types.ts";
import { PortMapError, type PortMapping } from "../../sdk/src/gateway/types.ts";
import { type Entry, Fault, ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

const REQUEST: MapRequest = { internalPort: 7777, protocol: "udp", description: "Arena" };

function mapperAt(gateway: ScriptedGateway, options: ConstructorParameters<typeof PortMapper>[0] = {}): PortMapper {
  return new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports, machine: "test" },
    ...options,
  });
}

/** Maps at a scripted gateway, hands mapping and gateway over, and unmaps. */
async function withMapping(
  options: ScriptedOptions,
  request: MapRequest,
  look: (mapping: PortMapping, gateway: ScriptedGateway) => void | Promise<void>,
  prepare?: (gateway: ScriptedGateway) => void,
): Promise<ScriptedGateway> {
  const gateway = await ScriptedGateway.start(options);
  try {
    prepare?.(gateway);
    await using mapper = mapperAt(gateway);
    const mapping = await mapper.map(request);
    await look(mapping, gateway);
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
  return gateway;
}

async function failure(
  options: ScriptedOptions,
  request: MapRequest = REQUEST,
  prepare?: (gateway: ScriptedGateway) => void,
): Promise<{ error: PortMapError; gateway: ScriptedGateway }> {
  await using gateway = await ScriptedGateway.start(options);
  prepare?.(gateway);
  await using mapper = mapperAt(gateway);
  const error = await mapper.map(request).then(
    () => expect.fail("it was mapped"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PortMapError);
  return { error: error as PortMapError, gateway };
}

const stranger = (more: Partial<Entry> = {}): Entry => ({
  client: "127.0.0.9",
  internalPort: 7777,
  description: "Other",
  lease: 0,
  enabled: true,
  ...more,
});

test("asks who owns the port, adds, reads back; deletes, and reads back that it is gone", async () => {
  const gateway = await withMapping({}, REQUEST, (mapping, { table }) => {
    expect(mapping).toMatchObject({
      via: "upnp",
      externalAddress: "11.22.33.44",
      externalPort: 7777,
      internalAddress: "127.0.0.1",
      verified: true,
    });
    expect(table.get("UDP 7777")).toMatchObject({
      client: "127.0.0.1",
      internalPort: 7777,
      description: "Arena",
      lease: 7200,
    });
  });
  const asked = gateway.calls
    .map(({ action }) => action)
    .filter((action) => action !== "GetStatusInfo" && action !== "GetExternalIPAddress");
  const look = "GetSpecificPortMappingEntry";
  expect(asked).toEqual([look, "AddPortMapping", look, look, "DeletePortMapping", look]);
  expect(gateway.table.size).toBe(0);
  expect(gateway.calls.every(({ headers }) => headers["SOAPAction"]?.startsWith('"urn:'))).toBe(true);
});

test("a port of another host gives way to the same alternative each time", async () => {
  const ports: number[] = [];
  for (let i = 0; i < 2; i++) {
    const gateway = await withMapping(
      {},
      REQUEST,
      (mapping) => void ports.push(mapping.externalPort),
      ({ table }) => table.set("UDP 7777", stranger()),
    );
    expect(gateway.table.get("UDP 7777")).toEqual(stranger());
  }
  expect(ports[0]).not.toBe(7777);
  expect(ports[1]).toBe(ports[0]);
});

test("same-host overwrite: another program's port on this computer is not stolen", async () => {
  const neighbour = stranger({ client: "127.0.0.1", internalPort: 7000, description: "Arena" });
  const gateway = await withMapping(
    {},
    REQUEST,
    (mapping) => expect(mapping.externalPort).not.toBe(7777),
    ({ table }) => table.set("UDP 7777", neighbour),
  );
  expect(gateway.table.get("UDP 7777")).toEqual(neighbour);
});

test("an entry of ours that an earlier start left is taken up again", async () => {
  const ours = stranger({ client: "127.0.0.1", description: "Arena" });
  await withMapping(
    {},
    REQUEST,
    (mapping) => expect(mapping.externalPort).toBe(7777),
    ({ table }) => table.set("UDP 7777", ours),
  );
});

test("the same port for another program's description is a conflict", async () => {
  const other = stranger({ client: "127.0.0.1", description: "Something else" });
  const gateway = await withMapping(
    {},
    REQUEST,
    (mapping) => expect(mapping.externalPort).not.toBe(7777),
    ({ table }) => table.set("UDP 7777", other),
  );
  expect(gateway.table.get("UDP 7777")).toEqual(other);
});

test("UDP and TCP come on one number: half a pair is given back", async () => {
  const gateway = await withMapping(
    {},
    { ...REQUEST, protocol: "both" },
    (mapping, { table }) => {
      expect(mapping.externalPort).not.toBe(7777);
      expect(table.has(`UDP ${mapping.externalPort}`) && table.has(`TCP ${mapping.externalPort}`)).toBe(true);
      expect(table.has("UDP 7777")).toBe(false);
    },
    ({ table }) => table.set("TCP 7777", stranger()),
  );
  expect([...gateway.table.keys()]).toEqual(["TCP 7777"]);
});

test("725 OnlyPermanentLeasesSupported: a permanent entry", async () => {
  const gateway = await withMapping(
    { actions: { AddPortMapping: (input) => (input["NewLeaseDuration"] === "0" ? undefined : new Fault(725)) } },
    { ...REQUEST, protocol: "both" },
    (mapping) => expect(mapping.expiresAt).toBe(0),
  );
  // Learned once, remembered for the second protocol.
  expect(gateway.count("AddPortMapping")).toBe(3);
});

test.each([402, 501])("%i in place of 725", async (code) => {
  await withMapping(
    { actions: { AddPortMapping: (input) => (input["NewLeaseDuration"] === "0" ? undefined : new Fault(code)) } },
    REQUEST,
    (mapping) => {
      expect(mapping.externalPort).toBe(7777);
      expect(mapping.expiresAt).toBe(0);
    },
  );
});

test("402 for a lease that is too long: a shorter one", async () => {
  await withMapping(
    { actions: { AddPortMapping: (input) => (Number(input["NewLeaseDuration"]) > 3600 ? new Fault(402) : undefined) } },
    REQUEST,
    (mapping, { table }) => {
      expect(table.get("UDP 7777")?.lease).toBe(3600);
      expect(mapping.expiresAt).toBeLessThanOrEqual(Date.now() + 3_600_000);
    },
  );
});

test("a router that caps the lease silently: the shorter one counts", async () => {
  const cap = (input: Readonly<Record<string, string>>, { table }: ScriptedGateway): undefined => {
    queueMicrotask(() => {
      const entry = table.get(`UDP ${input["NewExternalPort"]}`);
      if (entry) entry.lease = 600;
    });
  };
  await withMapping({ actions: { AddPortMapping: cap } }, REQUEST, (mapping) =>
    expect(mapping.expiresAt).toBeLessThanOrEqual(Date.now() + 600_000),
  );
});

test("724 SamePortValuesRequired: the game's own number, when it is free", async () => {
  const samePort = (input: Readonly<Record<string, string>>): Fault | undefined =>
    input["NewExternalPort"] === input["NewInternalPort"] ? undefined : new Fault(724);
  await withMapping({ actions: { AddPortMapping: samePort } }, { ...REQUEST, externalPort: 9000 }, (mapping) =>
    expect(mapping.externalPort).toBe(7777),
  );
  const { error } = await failure(
    { actions: { AddPortMapping: samePort } },
    { ...REQUEST, externalPort: 9000 },
    ({ table }) => table.set("UDP 7777", stranger()),
  );
  expect(error).toMatchObject({ kind: "refused", code: 724 });
  expect(error.message).toMatch(/listen on another port/);
});

test("728 NoPortMapsAvailable is said as it is, and not asked for again and again", async () => {
  const { error, gateway } = await failure({ actions: { AddPortMapping: () => new Fault(728) } });
  expect(error).toMatchObject({ kind: "refused", code: 728 });
  expect(error.message).toMatch(/table of port mappings is full/);
  expect(gateway.count("AddPortMapping")).toBe(1);
});

test("606 ActionNotAuthorized: below 1024 another port, else a clear refusal", async () => {
  const privileged = (input: Readonly<Record<string, string>>): Fault | undefined =>
    Number(input["NewExternalPort"]) < 1024 ? new Fault(606) : undefined;
  await withMapping({ actions: { AddPortMapping: privileged } }, { ...REQUEST, externalPort: 80 }, (mapping) =>
    expect(mapping.externalPort).toBe(7777),
  );
  const { error } = await failure({ actions: { AddPortMapping: () => new Fault(606) } });
  expect(error).toMatchObject({ kind: "refused", code: 606 });
  expect(error.message).toMatch(/allow it in the router's UPnP settings/);
});

test.each([718, 729])("%i although the table says that the port is free: another port, bounded", async (code) => {
  let refusals = 0;
  await withMapping(
    { actions: { AddPortMapping: () => (refusals++ < 3 ? new Fault(code) : undefined) } },
    REQUEST,
    (mapping) => expect(mapping.externalPort).not.toBe(7777),
  );
  const { error, gateway } = await failure({ actions: { AddPortMapping: () => new Fault(code) } });
  expect(error).toMatchObject({ kind: "conflict", code });
  expect(gateway.count("AddPortMapping")).toBeLessThanOrEqual(10);
});

test("a router that answers 200 and makes no entry is not believed", async () => {
  const { error } = await failure({ actions: { AddPortMapping: () => ({}) } });
  expect(error.kind).toBe("conflict");
  expect(error.message).toMatch(/table does not have it/);
});

test("an entry that the router keeps disabled is no mapping", async () => {
  const { error, gateway } = await failure({
    actions: {
      AddPortMapping: (input, { table }) => {
        table.set(`UDP ${input["NewExternalPort"]}`, {
          client: "127.0.0.1",
          internalPort: 7777,
          description: "Arena",
          lease: 0,
          enabled: false,
        });
        return {};
      },
    },
  });
  expect(error.message).toMatch(/disabled/);
  expect(gateway.table.size).toBe(0);
});

test("a router without GetSpecificPortMappingEntry: its whole table is read", async () => {
  await withMapping(
    { actions: { GetSpecificPortMappingEntry: () => new Fault(401) } },
    REQUEST,
    (mapping) => {
      expect(mapping.verified).toBe(true);
      expect(mapping.externalPort).not.toBe(7777);
    },
    ({ table }) => table.set("UDP 7777", stranger()),
  );
});

test("a router whose table cannot be read at all: mapped, and said to be unverified", async () => {
  const dumb = (): Fault => new Fault(401);
  await withMapping(
    { actions: { GetSpecificPortMappingEntry: dumb, GetGenericPortMappingEntry: dumb } },
    REQUEST,
    (mapping) => expect(mapping.verified).toBe(false),
  );
});

test("taken between question and answer: the other's entry stays", async () => {
  let first = true;
  const gateway = await withMapping(
    {
      actions: {
        AddPortMapping: (input, { table }) => {
          if (!first) return undefined;
          first = false;
          table.set(`UDP ${input["NewExternalPort"]}`, stranger());
          return {};
        },
      },
    },
    REQUEST,
    (mapping) => expect(mapping.externalPort).not.toBe(7777),
  );
  expect(gateway.table.get("UDP 7777")).toEqual(stranger());
});

test("unmapping leaves an entry alone that is somebody else's by now", async () => {
  const gateway = await withMapping({}, REQUEST, (_, { table }) => void table.set("UDP 7777", stranger()));
  expect(gateway.table.get("UDP 7777")).toEqual(stranger());
  expect(gateway.count("DeletePortMapping")).toBe(0);
});

test.each([
  ["192.168.1.7", /double NAT/],
  ["100.64.3.4", /carrier-grade/],
  ["0.0.0.0", /tells no external address/],
  ["", /tells no external address/],
  ["not an address", /tells no external address/],
])("an external address %j is no success", async (externalAddress, words) => {
  const { error, gateway } = await failure({ externalAddress });
  expect(error.kind).toBe("double-nat");
  expect(error.message).toMatch(words);
  expect(gateway.count("AddPortMapping")).toBe(0);
});

test("IGD:2 chooses a port itself when ours are all taken", async () => {
  const gateway = await withMapping(
    {
      serviceType: "urn:schemas-upnp-org:service:WANIPConnection:2",
      actions: {
        GetSpecificPortMappingEntry: (input, { table }) =>
          table.has(`${input["NewProtocol"]} ${input["NewExternalPort"]}`) || Number(input["NewExternalPort"]) % 2 === 1
            ? undefined
            : new Fault(714),
        AddPortMapping: () => new Fault(718),
        AddAnyPortMapping: (input, scripted) => {
          scripted.table.set("UDP 30001", {
            client: "127.0.0.1",
            internalPort: 7777,
            description: input["NewPortMappingDescription"] ?? "",
            lease: 3600,
            enabled: true,
          });
          return { NewReservedPort: 30_001 };
        },
      },
    },
    REQUEST,
    (mapping) => expect(mapping.externalPort).toBe(30_001),
  );
  expect(gateway.count("AddAnyPortMapping")).toBe(1);
});

test.each([
  "urn:schemas-upnp-org:service:WANPPPConnection:1",
  "urn:schemas-upnp-org:service:WANIPConnection:2",
  "urn:dslforum-org:service:WANIPConnection:1",
  "urn:dslforum-org:service:WANPPPConnection:1",
])("maps over %s", async (serviceType) => {
  await withMapping({ serviceType }, REQUEST, (mapping) => expect(mapping.verified).toBe(true));
});

test("NewConnectionStatus Up counts as connected", async () => {
  await withMapping(
    { actions: { GetStatusInfo: () => ({ NewConnectionStatus: "Up", NewUptime: 1 }) } },
    REQUEST,
    (mapping) => expect(mapping.verified).toBe(true),
  );
});

test("several connections: the connected one with a public address serves", async () => {
  const ip = "urn:schemas-upnp-org:service:WANIPConnection:1";
  const ppp = "urn:schemas-upnp-org:service:WANPPPConnection:1";
  const gateway = await ScriptedGateway.start({
    description: (socket) => {
      const body = gateway
        .describe(ip, "/ip")
        .replace(
          "</serviceList>",
          `<service><serviceType>${ppp}</serviceType><controlURL>/ppp</controlURL></service></serviceList>`,
        );
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    },
    actions: {
      GetStatusInfo: () => ({
        NewConnectionStatus: gateway.requests.at(-1)?.path === "/ip" ? "Disconnected" : "Connected",
        NewUptime: 5,
      }),
    },
  });
  await using _ = gateway;
  await using mapper = mapperAt(gateway);
  await mapper.map(REQUEST);
  expect(gateway.requests.filter(({ body }) => body.includes("AddPortMapping")).map(({ path }) => path)).toEqual([
    "/ppp",
  ]);
});

test("aborted in the middle of adding: nothing stays mapped", async () => {
  const controller = new AbortController();
  await using gateway = await ScriptedGateway.start({
    actions: {
      AddPortMapping: () => {
        controller.abort();
        return undefined;
      },
    },
  });
  await using mapper = mapperAt(gateway);
  await expect(mapper.map(REQUEST, { signal: controller.signal })).rejects.toMatchObject({ kind: "aborted" });
  expect(gateway.table.size).toBe(0);
});

test("an entry removed by hand is made again at the next look", async () => {
  await using gateway = await ScriptedGateway.start();
  await using mapper = mapperAt(gateway, { renewIntervalMs: 50 });
  const mapping = await mapper.map(REQUEST);
  const lost = new Promise<string>((resolve) => mapping.once("lost", ({ reason }) => resolve(reason)));
  const back = new Promise<string>((resolve) => mapping.once("mapped", ({ reason }) => resolve(reason)));
  gateway.table.clear();
  expect(await lost).toMatch(/gone from the router/);
  expect(await back).toMatch(/made again/);
  expect(gateway.table.has("UDP 7777")).toBe(true);
});

test("an entry that somebody took over is left to him, and another port is found", async () => {
  await using gateway = await ScriptedGateway.start();
  await using mapper = mapperAt(gateway, { renewIntervalMs: 50 });
  const mapping = await mapper.map(REQUEST);
  const back = new Promise<void>((resolve) => mapping.once("mapped", () => resolve()));
  gateway.table.set("UDP 7777", stranger());
  await back;
  expect(mapping.externalPort).not.toBe(7777);
  expect(gateway.table.get("UDP 7777")).toEqual(stranger());
});

test("a short lease is renewed before it lapses", async () => {
  await using gateway = await ScriptedGateway.start();
  await using mapper = mapperAt(gateway);
  const mapping = await mapper.map({ ...REQUEST, lifetimeSeconds: 3 });
  const ends = mapping.expiresAt;
  await new Promise<void>((resolve) => mapping.once("renewed", () => resolve()));
  expect(Date.now()).toBeLessThan(ends);
  expect(mapping.expiresAt).toBeGreaterThan(ends);
});

test("a WAN address that changes is told; one that becomes private is a loss", async () => {
  await using gateway = await ScriptedGateway.start();
  await using mapper = mapperAt(gateway, { watchIntervalMs: 40 });
  const mapping = await mapper.map(REQUEST);
  const changed = new Promise<string>((resolve) => mapping.once("changed", () => resolve(mapping.externalAddress)));
  gateway.externalAddress = "11.22.33.55";
  expect(await changed).toBe("11.22.33.55");
  const lost = new Promise<string>((resolve) => mapping.once("lost", ({ reason }) => resolve(reason)));
  gateway.externalAddress = "10.0.0.1";
  expect(await lost).toMatch(/double NAT/);
  const back = new Promise<void>((resolve) => mapping.once("mapped", () => resolve()));
  gateway.externalAddress = "11.22.33.66";
  await back;
  expect(mapping.externalAddress).toBe("11.22.33.66");
});

test("everything is asked from the interface's own address: a router maps to nobody else", async () => {
  const askedFrom = new Set<string | undefined>();
  await using gateway = await ScriptedGateway.start({
    raw: (socket) => {
      askedFrom.add(socket.remoteAddress);
      return false;
    },
  });
  const interfaces = gateway.interfaces.map((each) => ({ ...each, address: "127.0.0.5" }));
  {
    await using mapper = mapperAt(gateway, { interfaces });
    expect(await mapper.map(REQUEST)).toMatchObject({ internalAddress: "127.0.0.5" });
  }
  expect([...askedFrom]).toEqual(["127.0.0.5"]);
});
