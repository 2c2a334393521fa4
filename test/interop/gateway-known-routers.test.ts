/** A router that was met before is asked at once, and is believed no more than one that answers the search. */

import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { REVISIT_TIMEOUT_MS } from "../../sdk/src/gateway/discovery/upnp-discovery.ts";
import { KnownRouters } from "../../sdk/src/gateway/journal/known-routers.ts";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import { type Clock, systemClock } from "../../sdk/src/net/clock.ts";
import { removeState } from "../remove-state.ts";
import { ScriptedGateway } from "./scripted-gateway.ts";

const REQUEST = { internalPort: 7777, protocol: "udp" } as const;

let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-routers-"));
});
afterEach(() => removeState(state));

function mapperAt({ interfaces, ports }: ScriptedGateway, clock: Clock = systemClock): PortMapper {
  return new PortMapper({ via: ["upnp"], interfaces, journal: state, environment: { ports, machine: "test", clock } });
}

/** Has all the time that a busy machine may need to read a description. */
const patientClock: Clock = {
  ...systemClock,
  after: (ms, callback) => systemClock.after(ms === REVISIT_TIMEOUT_MS ? 60_000 : ms, callback),
};

test("the second start does not wait for an answer to its search", async () => {
  let answers = true;
  await using gateway = await ScriptedGateway.start({
    search: (_text, self) => (answers ? [self.answer("upnp:rootdevice")] : []),
  });
  {
    await using mapper = mapperAt(gateway);
    await mapper.map(REQUEST);
  }
  answers = false;
  await using mapper = mapperAt(gateway);
  expect(await mapper.map(REQUEST)).toMatchObject({ via: "upnp", verified: true });
});

test("one that moved is found by the search, and remembered where it is now", async () => {
  await using gateway = await ScriptedGateway.start();
  const routers = new KnownRouters(state);
  routers.remember({ interfaceName: "lo", address: gateway.address, location: `http://${gateway.address}:9/old.xml` });
  {
    await using mapper = mapperAt(gateway);
    await mapper.map(REQUEST);
  }
  expect(routers.all()).toEqual([{ interfaceName: "lo", address: gateway.address, location: gateway.location }]);
});

test("one that answered both is one gateway, whose description is read once", async () => {
  await using gateway = await ScriptedGateway.start();
  new KnownRouters(state).remember({ interfaceName: "lo", address: gateway.address, location: gateway.location });
  await using mapper = mapperAt(gateway, patientClock);
  await mapper.map(REQUEST);
  expect(mapper.gateways()).toHaveLength(1);
  expect(gateway.requests.filter(({ method }) => method === "GET")).toHaveLength(1);
});

test("one that takes the connection and says nothing does not hold up the verdict, nor is it a reason", async () => {
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.3", resolve));
  const { port } = mute.address() as AddressInfo;
  await using gateway = await ScriptedGateway.start({ search: () => [] });
  new KnownRouters(state).remember({
    interfaceName: "lo",
    address: "127.0.0.3",
    location: `http://127.0.0.3:${port}/root.xml`,
  });
  await using mapper = mapperAt(gateway);
  await expect(mapper.map(REQUEST)).rejects.toMatchObject({ kind: "no-gateway" });
  mute.closeAllConnections();
  mute.close();
});

test("a hint leads to nobody but a router on the link of the interface that it names", async () => {
  let visits = 0;
  const victim = createServer((_, response) => {
    visits++;
    response.end();
  });
  await new Promise<void>((resolve) => victim.listen(0, "127.0.0.3", resolve));
  const { port } = victim.address() as AddressInfo;
  await using gateway = await ScriptedGateway.start();
  const routers = new KnownRouters(state);
  const location = `http://127.0.0.3:${port}/root.xml`;
  routers.remember({ interfaceName: "wlan0", address: "127.0.0.3", location });
  routers.remember({ interfaceName: "lo", address: "192.0.2.1", location });
  // The host of a LOCATION is never believed: its port and path are asked of the address.
  routers.remember({ interfaceName: "lo", address: gateway.address, location });
  await using mapper = mapperAt(gateway);
  await mapper.map(REQUEST);
  expect(visits).toBe(0);
  victim.close();
});
