/** GENA: what a router tells of itself, and what nobody else may tell in its name (CVE-2020-12695 and its kin). */

import { request } from "node:http";
import { expect, test } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import { pinholeGateways } from "../../sdk/src/gateway/upnp/inspect.ts";
import { Subscription } from "../../sdk/src/gateway/upnp/service/gena.ts";
import { type HttpClient, httpRequest } from "../../sdk/src/gateway/upnp/service/http.ts";
import { systemClock } from "../../sdk/src/net/clock.ts";
import { reply, ScriptedGateway, type ScriptedRequest } from "./scripted-gateway.ts";

const event = (variables: Record<string, string>): string =>
  `<e:propertyset xmlns:e="urn:schemas-upnp-org:event-1-0">${Object.entries(variables)
    .map(([name, value]) => `<e:property><${name}>${value}</${name}></e:property>`)
    .join("")}</e:propertyset>`;

interface Callback {
  url: URL;
  subscriptions: ScriptedRequest[];
}

/** A gateway that accepts subscriptions, and the callback that it was given. */
async function subscribable(): Promise<{ gateway: ScriptedGateway; callback: Promise<Callback> }> {
  const { promise, resolve } = Promise.withResolvers<Callback>();
  const subscriptions: ScriptedRequest[] = [];
  const gateway = await ScriptedGateway.start({
    description: (socket) =>
      reply(socket, 200, gateway.describe().replace("<SCPDURL>", "<eventSubURL>/evt</eventSubURL><SCPDURL>")),
    raw: (socket, asked) => {
      if (asked.path !== "/evt") return false;
      subscriptions.push(asked);
      reply(socket, 200, "", "SID: uuid:sub\r\nTIMEOUT: Second-1800\r\n");
      const url = /<(.*)>/.exec(asked.headers["CALLBACK"] ?? "")?.[1];
      if (url) resolve({ url: new URL(url), subscriptions });
      return true;
    },
  });
  return { gateway, callback: promise };
}

/** Sends an event from `from`; the status that comes back. */
function notify(
  url: URL,
  body: string,
  { from = "127.0.0.2", sid = "uuid:sub", method = "NOTIFY", path = url.pathname } = {},
): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(
      {
        host: url.hostname,
        port: url.port,
        path,
        method,
        localAddress: from,
        agent: false,
        headers: { NT: "upnp:event", NTS: "upnp:propchange", SID: sid, "Content-Length": Buffer.byteLength(body) },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end(body);
  });
}

test("an entry that is removed by hand is back as soon as the router tells", async () => {
  const { gateway, callback } = await subscribable();
  await using _ = gateway;
  await using mapper = new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports },
  });
  const mapping = await mapper.map({ internalPort: 7777, protocol: "udp" });
  const { url } = await callback;
  expect(url.hostname).toBe("127.0.0.1");
  expect(
    await notify(url, event({ PortMappingNumberOfEntries: "1", ExternalIPAddress: gateway.externalAddress })),
  ).toBe(200);
  const back = new Promise<void>((resolve) => mapping.once("mapped", () => resolve()));
  gateway.table.clear();
  expect(await notify(url, event({ PortMappingNumberOfEntries: "0" }))).toBe(200);
  await back;
  expect(gateway.table.has("UDP 7777")).toBe(true);
});

test("a new external address is told by the router itself", async () => {
  const { gateway, callback } = await subscribable();
  await using _ = gateway;
  await using mapper = new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports },
  });
  const mapping = await mapper.map({ internalPort: 7777, protocol: "udp" });
  const changed = new Promise<void>((resolve) => mapping.once("changed", () => resolve()));
  await notify((await callback).url, event({ ExternalIPAddress: "11.99.99.99" }));
  await changed;
  expect(mapping.externalAddress).toBe("11.99.99.99");
});

test.each([
  // miniupnpd's boot id is the second of its start: the same, if it restarts within that.
  ["within the second of its start", 1_800_000_000, 1_800_000_000],
  ["a second later", 1_800_000_000, 1_800_000_001],
  ["and is too old to have boot ids", undefined, undefined],
])("a router that restarts %s is looked at when it announces itself", async (_when, before, after) => {
  await using gateway = await ScriptedGateway.start();
  gateway.bootId = before;
  await using mapper = new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    // No look of its own meanwhile.
    watchIntervalMs: 600_000,
    environment: { ports: gateway.ports },
  });
  const mapping = await mapper.map({ internalPort: 7777, protocol: "udp" });
  const back = new Promise<void>((resolve) => mapping.once("mapped", () => resolve()));
  gateway.table.clear();
  gateway.bootId = after;
  gateway.announce();
  await back;
  expect(gateway.table.has("UDP 7777")).toBe(true);
});

test("a router that restarted is subscribed to anew: it knows no subscribers", async () => {
  const { gateway, callback } = await subscribable();
  await using _ = gateway;
  gateway.bootId = 1;
  await using mapper = new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    watchIntervalMs: 600_000,
    environment: { ports: gateway.ports },
  });
  const mapping = await mapper.map({ internalPort: 7777, protocol: "udp" });
  const { url, subscriptions } = await callback;
  const back = new Promise<void>((resolve) => mapping.once("mapped", () => resolve()));
  gateway.table.clear();
  gateway.bootId = 2;
  gateway.announce();
  await back;
  const isNew = ({ method, headers }: ScriptedRequest): boolean => method === "SUBSCRIBE" && "CALLBACK" in headers;
  await expect.poll(() => subscriptions.filter(isNew).length).toBe(2);
  expect(subscriptions.filter(isNew)[1]?.headers["CALLBACK"]).not.toContain(url.pathname);
});

test("a pinhole's router announces itself over IPv4, and is asked over IPv6", async () => {
  await using gateway = await ScriptedGateway.start();
  const asked: string[] = [];
  const http: HttpClient = async ({ headers, address }) => {
    const action = /#(\w+)"$/.exec(headers?.["SOAPAction"] ?? "")?.[1] ?? "";
    asked.push(`${action} at ${address}`);
    const answer = gateway.response(action, action === "AddPinhole" ? { UniqueID: 7 } : { PinholePackets: 0 });
    return { status: 200, headers: {}, body: Buffer.from(answer) };
  };
  const serviceType = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";
  const controlUrl = new URL(`http://${gateway.address}:${gateway.httpPort}/fw`);
  const services = [{ serviceType, controlUrl, eventUrl: undefined }];
  const own = [{ name: "lo", address: "2a11::5", family: 6 as const, prefixLength: 64, gateway: "2a11::1" }];
  const device = { deviceType: "", name: "Scripted", udn: "", services };
  await using mapper = new PortMapper({
    interfaces: gateway.interfaces,
    journal: false,
    watchIntervalMs: 600_000,
    environment: {
      ports: gateway.ports,
      discover: ({ onGateway }) => {
        for (const each of pinholeGateways(http, device, own, systemClock)) onGateway(each);
        return { settled: Promise.resolve(), [Symbol.asyncDispose]: async () => undefined };
      },
    },
  });
  await mapper.map({ internalPort: 7777, protocol: "udp", family: 6 });
  expect(asked).toEqual(["AddPinhole at 2a11::1"]);
  gateway.announce();
  await expect.poll(() => asked[1]).toBe("GetPinholePackets at 2a11::1");
});

test("events from anybody else, under another path, SID or method, or too long ones are refused; it ends with UNSUBSCRIBE", async () => {
  const { gateway, callback } = await subscribable();
  await using _ = gateway;
  const heard: ReadonlyMap<string, string>[] = [];
  const subscription = new Subscription({
    http: httpRequest,
    clock: systemClock,
    eventUrl: new URL(`http://127.0.0.2:${gateway.httpPort}/evt`),
    address: "127.0.0.2",
    localAddress: "127.0.0.1",
    onEvent: (variables) => heard.push(variables),
  });
  const { url, subscriptions } = await callback;
  const body = event({ ExternalIPAddress: "6.6.6.6" });
  // The answer to SUBSCRIBE is read by then.
  await expect.poll(() => notify(url, body, { sid: "uuid:other" })).toBe(412);
  heard.length = 0;
  expect(await notify(url, body, { from: "127.0.0.3" })).toBe(403);
  expect(await notify(url, body, { path: "/" })).toBe(404);
  expect(await notify(url, body, { method: "POST" })).toBe(404);
  expect([413, "ECONNRESET", "EPIPE"]).toContain(await notify(url, "x".repeat(100_000)));
  expect(await notify(url, "<not an event")).toBe(200);
  expect(heard).toEqual([]);
  expect(await notify(url, body)).toBe(200);
  expect(heard).toEqual([new Map([["ExternalIPAddress", "6.6.6.6"]])]);
  await subscription[Symbol.asyncDispose]();
  expect(subscriptions.at(-1)).toMatchObject({ method: "UNSUBSCRIBE", headers: { SID: "uuid:sub" } });
  expect(await notify(url, body)).toBe("ECONNREFUSED");
});
