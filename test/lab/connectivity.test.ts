import { expect, test } from "vitest";
import type { Reachability } from "../../sdk/src/connectivity/reachability.ts";
import { type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const MODULE = new URL("./modules/connectivity.ts", import.meta.url);
const PORT = 7777;

type Line = Reachability & { event: "open" | "change" | "closed"; at: number } & Record<string, unknown>;

const run = (host: Host, options: object = {}): LabProcess => host.spawnModule(MODULE, { port: PORT, ...options });
const line = (process: LabProcess, fits: (line: Line) => boolean): Promise<Line> =>
  process.waitForJson<Line>(fits, 20_000);

async function close(process: LabProcess): Promise<void> {
  process.write("close\n");
  await line(process, ({ event }) => event === "closed");
  // It ends by itself: no socket and no timer is left.
  expect((await process.exited).code, process.output.join("\n")).toBe(0);
}

describeLab("the ladder", () => {
  test.each<{ name: string; gateway: GatewayOptions; via: string }>([
    { name: "IGDv1", gateway: { upnp: { igd: 1, pcp: false, natpmp: false } }, via: "upnp" },
    { name: "IGDv2", gateway: { upnp: { igd: 2, pcp: false, natpmp: false } }, via: "upnp" },
    { name: "PCP", gateway: { upnp: { igd: false, pcp: true, natpmp: true } }, via: "pcp" },
  ])("$name: mapped, verified, and gone after close()", async ({ gateway: options, via }) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway(options);
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const process = run(host, { stunServers: coturn.addresses.map((address) => `${address}:3478`) });
    const mapped = await line(process, ({ verdict }) => verdict === "mapped");
    expect(mapped.endpoints[0]).toMatchObject({
      kind: "mapped",
      protocol: "udp",
      address: gateway.wanAddress,
      port: PORT,
      via,
      verified: true,
    });
    expect(await gateway.mappings()).toHaveLength(2);
    await close(process);
    expect(await gateway.mappings()).toEqual([]);
  });

  test.each([
    { nat: "port-restricted" as const, verdict: "punchable", mapping: "endpoint-independent" },
    { nat: "symmetric" as const, verdict: "relay-only", mapping: "address-and-port-dependent" },
  ])("a $nat NAT without port mapping is $verdict", async ({ nat, verdict, mapping }) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat, upnp: false });
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const process = run(host, { stunServers: coturn.addresses.map((address) => `${address}:3478`) });
    const opened = await line(process, ({ event }) => event === "open");
    expect(opened).toMatchObject({ verdict, nat: { mapping, carrierGrade: false } });
    await close(process);
  });

  test("two NATs in a chain are named as such", async () => {
    await using lab = await Lab.create();
    const carrier = await lab.gateway({ carrierGrade: true });
    const gateway = await lab.gateway({ behind: carrier, upnp: { igd: 2 } });
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const process = run(host, { stunServers: [`${coturn.address}:3478`] });
    const found = await line(process, ({ nat, verdict }) => nat?.carrierGrade && verdict === "punchable");
    expect(found.summary).toMatch(/double|carrier-grade/);
    await close(process);
  });

  test("a public address is open", async () => {
    await using lab = await Lab.create();
    const [host, coturn] = await Promise.all([lab.host(), lab.coturn()]);
    const process = run(host, { stunServers: [`${coturn.address}:3478`] });
    const opened = await line(process, ({ event }) => event === "open");
    expect(opened).toMatchObject({ verdict: "open" });
    expect(opened.endpoints[0]).toMatchObject({ kind: "host", protocol: "udp", address: host.address, port: PORT });
    await line(process, ({ nat }) => nat?.mapping === "none");
    await close(process);
  });

  test("no router that maps, no STUN server: the reasons are there", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: false });
    const host = await gateway.host();
    await gateway.unplug();
    const process = run(host, { stunServers: ["11.0.250.2:3478"] });
    const opened = await line(process, ({ event }) => event === "open");
    expect(opened.verdict).toBe("lan-only");
    const told = await line(process, ({ steps }) => steps?.some(({ step }) => step === "stun") ?? false);
    expect(told.steps.find(({ step }) => step === "stun")?.reason).toContain("No STUN server answered");
    expect(told.summary).toMatch(/no router here answered/);
    await close(process);
  });

  test("the router gives another outer address: the endpoint follows", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const host = await gateway.host();
    const process = run(host, { renewIntervalMs: 1000 });
    await line(process, ({ verdict }) => verdict === "mapped");
    await gateway.setWanAddress();
    await line(process, ({ endpoints }) => endpoints?.some(({ address }) => address === gateway.wanAddress) ?? false);
    await close(process);
  });
});
