/** What a router maps, for showing and clearing up by hand: each router once, and whose each entry is. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { discoverGateways } from "../../sdk/src/gateway/discovery/gateways.ts";
import type { Discover } from "../../sdk/src/gateway/gateway.ts";
import { Router } from "../../sdk/src/gateway/mapper/router.ts";
import { systemClock } from "../../sdk/src/net/clock.ts";
import { entryOf, mapperAt, REQUEST } from "./gateway-mapping.ts";
import { PortControlServer } from "./port-control-server.ts";
import { ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-router-"));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

/** Searches on two addresses of one interface, as a computer has that is on one network twice. */
function discoverAt({ interfaces, ports }: ScriptedGateway): Discover {
  const twice = ["127.0.0.1", "127.0.0.5"].flatMap((address) => interfaces.map((each) => ({ ...each, address })));
  return (events) => discoverGateways({ interfaces: twice, clock: systemClock, random: Math.random, ports }, events);
}

const find = (gateway: ScriptedGateway): Promise<Router> =>
  Router.find({ journal: state, discover: discoverAt(gateway) });

test("two addresses of one interface: each router once for each protocol, with its external address", async () => {
  const server = new PortControlServer({});
  await using gateway = await ScriptedGateway.start({ portControl: server.answer });
  await using router = await find(gateway);
  const named = router.gateways.map(({ via, address, externalAddress }) => `${via} ${address} ${externalAddress}`);
  expect(named.sort()).toEqual([
    "nat-pmp 127.0.0.2 11.22.33.44",
    "pcp 127.0.0.2 11.22.33.44",
    "upnp 127.0.0.2 11.22.33.44",
  ]);
});

test("two descriptions, or two services: one router", async () => {
  const ppp = "urn:schemas-upnp-org:service:WANPPPConnection:1";
  const gateway = await ScriptedGateway.start({
    description: (socket) => {
      const more = `<service><serviceType>${ppp}</serviceType><controlURL>/ppp</controlURL></service></serviceList>`;
      const body = gateway.describe().replace("</serviceList>", more);
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    },
  });
  await using _ = gateway;
  await using router = await find(gateway);
  expect(router.gateways.map(({ via }) => via)).toEqual(["upnp"]);
  gateway.table.set("UDP 7777", entryOf());
  expect(await router.entries()).toHaveLength(1);
});

test("whose an entry is: another computer's, another program's, ours", async () => {
  await using gateway = await ScriptedGateway.start();
  await using mapper = mapperAt(gateway, { journal: state });
  await mapper.map(REQUEST);
  gateway.table.set("UDP 6000", entryOf());
  gateway.table.set("UDP 8000", entryOf({ client: "127.0.0.1", internalPort: 8000, description: "libminiupnpc" }));
  gateway.table.set("UDP 9000", entryOf({ client: "127.0.0.1", internalPort: 9000, description: "Sallyport" }));
  await using router = await find(gateway);
  const told = (await router.entries()).map(({ externalPort, isOurs, isMadeHere }) => [
    externalPort,
    isOurs,
    isMadeHere,
  ]);
  expect(told).toEqual([
    [6000, false, false],
    [7777, true, true],
    [8000, true, false],
    [9000, true, true],
  ]);
});

test.each<[string, ScriptedOptions["actions"]]>([
  ["names the computer", shown({ NewInternalClient: "arena-pc" })],
  ["names no client", shown({ NewInternalClient: "" })],
  ["renames it", shown({ NewPortMappingDescription: "UPnP" })],
])("an entry of ours is known where the router %s, and removed", async (_name, actions) => {
  await using gateway = await ScriptedGateway.start(actions ? { actions } : {});
  await using mapper = mapperAt(gateway, { journal: state });
  await mapper.map(REQUEST);
  await using router = await find(gateway);
  const [entry] = await router.entries();
  expect(entry).toMatchObject({ externalPort: 7777, isOurs: true, isMadeHere: true, internalAddress: "127.0.0.1" });
  expect(entry && (await router.remove(entry))).toBe(true);
  expect(gateway.table.size).toBe(0);
});

function shown(changes: Record<string, string>): NonNullable<ScriptedOptions["actions"]> {
  const answer =
    (action: string) =>
    (input: Readonly<Record<string, string>>, gateway: ScriptedGateway): ReturnType<ScriptedGateway["perform"]> => {
      const right = gateway.perform(action, input);
      return typeof right === "object" && !("code" in right) ? { ...right, ...changes } : right;
    };
  return {
    GetSpecificPortMappingEntry: answer("GetSpecificPortMappingEntry"),
    GetGenericPortMappingEntry: answer("GetGenericPortMappingEntry"),
  };
}
