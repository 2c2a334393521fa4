import { expect, test } from "vitest";
import { InterfacesRung } from "../../../../sdk/src/connectivity/rungs/interfaces.ts";
import { machine as interfacesOf } from "../../net/machines.ts";
import { TestContext } from "./context.ts";

const ETHERNET = { name: "eth0", address: "192.168.1.5" };
const WIFI = { name: "wlan0", address: "192.168.7.5" };

/** A machine whose interfaces the test plugs in and out. */
function machine(address?: string): { context: TestContext; rung: InterfacesRung; interfaces: (typeof WIFI)[] } {
  const interfaces = [ETHERNET];
  const context = new TestContext(address === undefined ? {} : { address }, {
    interfaces: () => interfacesOf(Object.fromEntries(interfaces.map((each) => [each.name, [`${each.address}/24`]]))),
    defaultRoutes: async () => [],
  });
  return { context, rung: new InterfacesRung(context), interfaces };
}

test("all addresses of the machine are found and named", async () => {
  const { context, rung } = machine();
  await using _ = context;
  await rung.open();
  expect(rung.findings).toEqual({ interfaces: [ETHERNET] });
  expect(context.steps[0]).toMatchObject({
    step: "interfaces",
    outcome: "ok",
    reason: "Found 192.168.1.5 (eth0).",
  });
});

test("a socket on one address has that address alone", async () => {
  const { context, rung, interfaces } = machine("127.0.0.1");
  await using _ = context;
  interfaces.push(WIFI);
  await rung.open();
  expect(rung.findings).toEqual({ interfaces: [{ name: "loopback", address: "127.0.0.1" }] });
});

test("another network is noticed within 3 s, once, and nothing is noticed after the end", async () => {
  const { context, rung, interfaces } = machine();
  await using _ = context;
  await rung.open();
  await context.clock.advance(9_000);
  expect(context.changes).toEqual([]);
  interfaces[0] = WIFI;
  await context.clock.advance(3_000);
  expect(context.changes).toEqual(["network"]);
  await rung.refresh();
  expect(rung.findings).toEqual({ interfaces: [WIFI] });
  await context.clock.advance(9_000);
  expect(context.changes).toEqual(["network"]);
  context.end();
  expect(context.clock.pending).toBe(0);
});

test("no interface at all is said in words", async () => {
  const { context, rung, interfaces } = machine();
  await using _ = context;
  interfaces.length = 0;
  await rung.open();
  expect(context.steps[0]).toMatchObject({ outcome: "absent", reason: expect.stringMatching(/cable or the Wi-Fi/) });
});
