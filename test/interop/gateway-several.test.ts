/** Several descriptions, services, devices and routers: the right one serves, and none is replaced under a mapping. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { createServer, type Server } from "node:http";
import { describe, expect, test } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import type { GatewayStep } from "../../sdk/src/gateway/types.ts";
import { eventsOf, fastClock, mapperAt, REQUEST, refusal } from "./gateway-mapping.ts";
import { Fault, faultBody, reply, ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

const IGD1 = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
const IGD2 = "urn:schemas-upnp-org:device:InternetGatewayDevice:2";
const IP1 = "urn:schemas-upnp-org:service:WANIPConnection:1";
const IP2 = "urn:schemas-upnp-org:service:WANIPConnection:2";
const PPP1 = "urn:schemas-upnp-org:service:WANPPPConnection:1";

const after = (ms: number, what: () => void): void => void setTimeout(what, ms).unref();

type Speak = (text: string, to: RemoteInfo) => void;

/** What the gateway does by itself, told after `ms`. */
function late(gateway: () => ScriptedGateway | undefined, action: string, ms: number): ScriptedOptions["raw"] {
  return (socket, { body }) => {
    if (!body.includes(`:${action} `)) return false;
    const input = Object.fromEntries(
      [...body.matchAll(/<(New\w+)>([^<]*)<\/\1>/g)].map(([, name = "", value = ""]) => [name, value]),
    );
    gateway()?.perform(action, input);
    after(ms, () => reply(socket, 200, gateway()?.response(action, {}) ?? ""));
    return true;
  };
}

/** Devices at other addresses of the loopback, which answer a search that was heard elsewhere: it has no multicast. */
class Neighbours implements AsyncDisposable {
  readonly #sockets: Socket[] = [];
  readonly #servers: Server[] = [];

  /** An answer from `address` to whoever searched. */
  async speaker(address: string): Promise<Speak> {
    const socket = createSocket("udp4");
    let isOpen = true;
    socket.on("close", () => {
      isOpen = false;
    });
    this.#sockets.push(socket);
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    // A search goes on when the test is over.
    return (text, to) => isOpen && socket.send(text, to.port, to.address);
  }

  /** A device with a description of no gateway. */
  async renderer(address: string): Promise<{ location: string; visits: () => number }> {
    let visits = 0;
    const body = `<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:schemas-upnp-org:device:MediaRenderer:1</deviceType><friendlyName>Television</friendlyName><UDN>uuid:${address}</UDN></device></root>`;
    const server = createServer((_, response) => {
      visits++;
      response.end(body);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const { port } = server.address() as { port: number };
    return { location: `http://${address}:${port}/desc.xml`, visits: () => visits };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

const answer = (st: string, location: string): string =>
  `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${st}\r\nUSN: uuid:x::${st}\r\nEXT:\r\nLOCATION: ${location}\r\n\r\n`;

describe("two descriptions of one router", () => {
  /** As a FRITZ!Box has: igddesc.xml at once, igd2desc.xml a little later, each with its own UDN and control URL. */
  async function twoDescriptions(neighbours: Neighbours, raw?: ScriptedOptions["raw"]): Promise<ScriptedGateway> {
    const speak = await neighbours.speaker("127.0.0.2");
    const gateway = await ScriptedGateway.start({
      ...(raw ? { raw } : {}),
      search: (text, self) => (text.includes(`ST: ${IGD1}`) ? [self.answer(IGD1)] : []),
      onSearch: (text, from) => {
        if (text.includes(`ST: ${IGD1}`)) after(60, () => speak(answer(IGD2, `${gateway.location}2`), from));
      },
      description: (socket, { path }) => {
        const isSecond = path.endsWith("2");
        const body = gateway.describe(isSecond ? IP2 : IP1, isSecond ? "/igd2" : "/igd1");
        reply(socket, 200, body.replace("uuid:scripted", isSecond ? "uuid:two" : "uuid:one"));
      },
    });
    return gateway;
  }

  test.each([0, 60])("the mapping is watched, though adding took %i ms", async (ms) => {
    await using neighbours = new Neighbours();
    let current: ScriptedGateway | undefined;
    await using gateway = await twoDescriptions(
      neighbours,
      late(() => current, "AddPortMapping", ms),
    );
    current = gateway;
    await using mapper = mapperAt(gateway, { watchIntervalMs: 1000, environment: { clock: fastClock(10) } });
    const events = eventsOf(mapper);
    const mapping = await mapper.map(REQUEST);
    // Both descriptions were read.
    await expect.poll(() => gateway.requests.filter(({ method }) => method === "GET").length).toBe(2);
    gateway.table.clear();
    gateway.externalAddress = "11.22.33.55";
    await expect.poll(() => gateway.table.has("UDP 7777")).toBe(true);
    await expect.poll(() => mapping.externalAddress).toBe("11.22.33.55");
    expect(events.map(({ event }) => event)).toContain("changed");
  });

  test("the first refuses: the second is asked", async () => {
    await using neighbours = new Neighbours();
    await using gateway = await twoDescriptions(neighbours, (socket, request) => {
      if (!request.body.includes("AddPortMapping") || request.path !== "/igd1") return false;
      reply(socket, 500, faultBody(728));
      return true;
    });
    await using mapper = mapperAt(gateway);
    expect(await mapper.map(REQUEST)).toMatchObject({ externalPort: 7777, proof: "router" });
    // Which is the same router, and named once.
    expect(mapper.gateways().map(({ address }) => address)).toEqual([gateway.address]);
  });
});

test("two services of one description: the second is asked where the first refuses", async () => {
  const gateway = await ScriptedGateway.start({
    description: (socket) =>
      reply(
        socket,
        200,
        gateway
          .describe(IP1, "/ip")
          .replace(
            "</serviceList>",
            `<service><serviceType>${PPP1}</serviceType><controlURL>/ppp</controlURL></service></serviceList>`,
          ),
      ),
    actions: {
      AddPortMapping: () => (gateway.requests.at(-1)?.path === "/ip" ? new Fault(728) : undefined),
    },
  });
  await using _ = gateway;
  await using mapper = mapperAt(gateway);
  expect(await mapper.map(REQUEST)).toMatchObject({ externalPort: 7777, proof: "router" });
});

describe("many other devices", () => {
  test.each([
    [20, IGD1, 300],
    [70, IGD1, 500],
    [20, "upnp:rootdevice", 300],
  ])("%i of them answer at once, the router as %s after %i ms", async (count, st, ms) => {
    await using neighbours = new Neighbours();
    const devices = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const address = `127.0.1.${index + 1}`;
        return { send: await neighbours.speaker(address), ...(await neighbours.renderer(address)) };
      }),
    );
    let isFirst = true;
    const late: Speak[] = [];
    const gateway = await ScriptedGateway.start({
      search: () => [],
      onSearch: (_text, from) => {
        if (!isFirst) return;
        isFirst = false;
        for (const { send, location } of devices) send(answer("upnp:rootdevice", location), from);
        after(ms, () => late[0]?.(answer(st, gateway.location), from));
      },
    });
    await using _ = gateway;
    late.push(await neighbours.speaker(gateway.address));
    await using mapper = mapperAt(gateway);
    expect(await mapper.map(REQUEST)).toMatchObject({ externalPort: 7777 });
    expect(devices.reduce((sum, { visits }) => sum + visits(), 0)).toBeLessThanOrEqual(64);
  });

  test("a router that is not the default gateway has its budget beside devices that call themselves routers", async () => {
    await using neighbours = new Neighbours();
    const liar = await neighbours.renderer("127.0.1.1");
    const speak = await neighbours.speaker("127.0.1.1");
    await using other = await ScriptedGateway.start({ address: "127.0.0.3" });
    const speakOther = await neighbours.speaker(other.address);
    let isFirst = true;
    await using gateway = await ScriptedGateway.start({
      search: () => [],
      onSearch: (_text, from) => {
        if (!isFirst) return;
        isFirst = false;
        for (let i = 0; i < 100; i++) speak(answer(IGD1, `${liar.location}?${i}`), from);
        after(200, () => speakOther(answer(IGD1, other.location), from));
      },
    });
    await using mapper = mapperAt(gateway);
    expect((await mapper.map(REQUEST)).gateway.address).toBe(other.address);
    expect(liar.visits()).toBeLessThanOrEqual(4);
  });
});

/** The default gateway at 127.0.0.2 and another device at 127.0.0.3 that says it were one. */
async function withStranger(
  own: ScriptedOptions,
  delays: { own: number; other: number },
  use: (mapper: PortMapper, own: ScriptedGateway, other: ScriptedGateway) => Promise<void>,
  options: ConstructorParameters<typeof PortMapper>[0] = {},
): Promise<void> {
  await using neighbours = new Neighbours();
  await using other = await ScriptedGateway.start({ address: "127.0.0.3", externalAddress: "11.22.33.9" });
  const speakers: Speak[] = [];
  const gateway = await ScriptedGateway.start({
    search: () => [],
    ...own,
    onSearch: (_text, from) => {
      after(delays.own, () => speakers[0]?.(answer(IGD1, gateway.location), from));
      after(delays.other, () => speakers[1]?.(answer(IGD1, other.location), from));
    },
  });
  await using _ = gateway;
  speakers.push(await neighbours.speaker(gateway.address), await neighbours.speaker(other.address));
  await using mapper = mapperAt(gateway, options);
  await use(mapper, gateway, other);
}

describe("another device that says it were a router", () => {
  test.each([
    [20, 20],
    [500, 5],
    [800, 0],
  ])(
    "the default gateway answers after %i ms, the other after %i ms: the default gateway serves",
    async (own, other) => {
      await withStranger({}, { own, other }, async (mapper, _own, stranger) => {
        expect(await mapper.map(REQUEST)).toMatchObject({
          gateway: { address: "127.0.0.2" },
          externalAddress: "11.22.33.44",
          proof: "router",
        });
        expect(stranger.count("AddPortMapping")).toBe(0);
      });
    },
  );

  test("the default gateway refuses: the other serves, and it is said that nothing proves it", async () => {
    const steps: GatewayStep[] = [];
    const refuses = { actions: { AddPortMapping: (): Fault => new Fault(728) } };
    await withStranger(refuses, { own: 5, other: 5 }, async (mapper) => {
      const mapping = await mapper.map(REQUEST, { onStep: (step) => steps.push(step) });
      expect(mapping).toMatchObject({ gateway: { address: "127.0.0.3" }, verified: false, proof: "none" });
    });
    expect(steps.find(({ outcome }) => outcome === "ok")?.reason).toMatch(
      /127\.0\.0\.3 is not this network's default gateway/,
    );
  });

  test("the default gateway is slow to add: the other is not asked meanwhile", async () => {
    let current: ScriptedGateway | undefined;
    const slow: ScriptedOptions = { raw: late(() => current, "AddPortMapping", 2500) ?? (() => false) };
    await withStranger(slow, { own: 5, other: 5 }, async (mapper, own, stranger) => {
      current = own;
      expect((await mapper.map(REQUEST)).gateway.address).toBe("127.0.0.2");
      expect(stranger.count("AddPortMapping")).toBe(0);
    });
  });
});

describe("an option names the router", () => {
  test("the other device serves, as certain as a default gateway, and the default gateway is not asked", async () => {
    await using own = await ScriptedGateway.start();
    await using other = await ScriptedGateway.start({ address: "127.0.0.3" });
    await using mapper = new PortMapper({
      via: ["upnp"],
      gateway: other.address,
      interfaces: own.interfaces,
      journal: false,
      environment: { ports: other.ports, machine: "test" },
    });
    expect(await mapper.map(REQUEST)).toMatchObject({ gateway: { address: "127.0.0.3" }, proof: "router" });
    expect(own.requests).toEqual([]);
  });

  test("answers of other devices are passed over", async () => {
    await withStranger(
      { actions: { AddPortMapping: () => new Fault(728) } },
      { own: 5, other: 5 },
      async (mapper, _own, stranger) => {
        await expect(mapper.map(REQUEST)).rejects.toMatchObject({ kind: "refused", code: 728 });
        expect(stranger.requests).toEqual([]);
      },
      { gateway: "127.0.0.2" },
    );
  });

  test("what is no address is refused at once; one that nothing leads to is named", async () => {
    expect(() => new PortMapper({ gateway: "fritz.box" })).toThrow(/must be an IP address of a router, not fritz\.box/);
    const { error } = await refusal({}, { mapper: { gateway: "11.9.9.9" } });
    expect(error.message).toMatch(/no router answered|11\.9\.9\.9/);
  });
});
