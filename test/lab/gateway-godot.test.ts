/** The same calls through Godot 3's own UPNP class and ours, at the same gateway: the same answers. */
import { expect, test } from "vitest";
import { type Host, Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

type Call = readonly [name: string, args: readonly (string | number)[]];

/** With Godot's result, where it is a code. */
const CALLS: readonly (readonly [...Call, unknown])[] = [
  ["add_port_mapping", [7777], 26],
  ["delete_port_mapping", [7777], 26],
  ["query_external_address", [], ""],
  ["discover", [-1], 22],
  ["discover", [1000, 300], 22],
  ["discover", [2000, 2, "InternetGatewayDevice"], 0],
  ["query_external_address", [], "WAN"],
  ["add_port_mapping", [7777], 0],
  ["add_port_mapping", [7777], 0],
  ["add_port_mapping", [7777, 7778, "another port inside", "UDP", 0], 0],
  ["add_port_mapping", [7777, 0, "TCP", "TCP", 600], 0],
  ["add_port_mapping", [0], 17],
  ["add_port_mapping", [65536], 17],
  ["add_port_mapping", [-7], 17],
  ["add_port_mapping", [7777, 65536], 17],
  ["add_port_mapping", [7777, -1], 17],
  ["add_port_mapping", [7777, 0, "", "udp"], 18],
  ["add_port_mapping", [7777, 0, "", "SCTP"], 18],
  ["add_port_mapping", [7777, 0, "", "UDP", -1], 19],
  // Belongs to another machine of the LAN.
  ["add_port_mapping", [6000, 0, "taken", "UDP", 0], "same"],
  ["delete_port_mapping", [6000, "UDP"], "same"],
  ["delete_port_mapping", [0], 17],
  ["delete_port_mapping", [7777, "udp"], 18],
  ["delete_port_mapping", [7777, "UDP"], 0],
  ["delete_port_mapping", [7777, "TCP"], 0],
  ["delete_port_mapping", [7777, "TCP"], "same"],
  ["delete_port_mapping", [9999, "UDP"], "same"],
];

async function godot(host: Host, calls: readonly Call[]): Promise<unknown[]> {
  const process = host.godot(new URL("./modules/upnp-calls.gd", import.meta.url), [JSON.stringify(calls)]);
  const line = await process.waitForLine(/^RESULTS /, 60_000);
  await process.stop();
  return JSON.parse(line.slice("RESULTS ".length)) as unknown[];
}

describeLab("UPNP as Godot has it", () => {
  test.for([1, 2] as const)("IGD:%i", async (igd) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd } });
    const [host, other] = [await gateway.host(), await gateway.host()];
    await gateway.addMapping({ host: other, protocol: "udp", externalPort: 6000 });
    const calls = CALLS.map(([name, args]) => [name, args] as const);
    const theirs = await godot(host, calls);
    const ours = await host.run<unknown[]>(new URL("./modules/upnp-calls.ts", import.meta.url), calls);
    const table = CALLS.map(([name, args], index) => ({
      call: `${name}(${args.join(", ")})`,
      godot: theirs[index],
      ours: ours[index],
    }));
    for (const [index, { call, ...results }] of table.entries()) {
      expect(results.ours, call).toBe(results.godot);
      const expected = CALLS[index]?.[2];
      if (expected === "WAN") expect(results.ours, call).toBe(gateway.wanAddress);
      else if (expected !== "same") expect(results.ours, call).toBe(expected);
    }
    expect((await gateway.mappings()).map(({ externalPort }) => externalPort)).toEqual([6000]);
  });
});
