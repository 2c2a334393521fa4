/** The port mapper, as the command line runs it, against Debian's miniupnpd in all its guises. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type Gateway, type Host, Lab, type LabProcess, type UpnpOptions } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const MAIN = fileURLToPath(new URL("../../sdk/src/cli/main.ts", import.meta.url));
const STATE = mkdtempSync(join(tmpdir(), "sallyport-lab-"));
afterAll(() => rmSync(STATE, { recursive: true, force: true }));

type Line = Record<string, unknown> & {
  event: string;
  externalPort: number;
  externalAddress: string;
  via: string;
  reason: string;
};

/** A state directory per machine of the lab, as each would have. */
function stateOf(host: Host): string {
  return join(STATE, host.namespace);
}

/** What is left on disk besides where the router was met, which is remembered for good. */
function journalOf(host: Host): string[] {
  return readdirSync(join(stateOf(host), "sallyport")).filter((name) => name !== "routers.json");
}

/** A mapping is looked at every 25 s, should no announcement and no GENA event come before. */
const LOOKED_AT_MS = 45_000;

function sallyport(host: Host, ...args: string[]): LabProcess {
  // A gateway may need more than the second after which there is a verdict, when many tests share the processors.
  return sallyportOnce(host, ...args, ...(args[0] === "map" && !args.includes("--wait") ? ["--wait"] : []));
}

/** Without patience: ends with its verdict. */
function sallyportOnce(host: Host, ...args: string[]): LabProcess {
  return host.spawn([process.execPath, MAIN, ...args], { env: { XDG_STATE_HOME: stateOf(host) } });
}

/** Lines that a process printed before are seen too, each once. */
function next(process: LabProcess, event: string, timeoutMs = LOOKED_AT_MS): Promise<Line> {
  return process.waitForJson<Line>((line) => line.event === event, timeoutMs);
}

async function eventually(what: string, isSo: () => Promise<boolean>, timeoutMs = LOOKED_AT_MS): Promise<void> {
  const until = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > until) expect.fail(`it did not come to pass that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const portsOf = async (gateway: Gateway): Promise<string[]> =>
  (await gateway.mappings())
    .map(({ protocol, externalPort, internalAddress }) => `${protocol} ${externalPort} ${internalAddress}`)
    .sort();

const GUISES: readonly [string, UpnpOptions, string, string][] = [
  ["IGDv1", { igd: 1 }, "auto", "upnp"],
  ["IGDv2", { igd: 2 }, "auto", "upnp"],
  ["NAT-PMP only", { igd: false, natpmp: true }, "nat-pmp", "nat-pmp"],
  ["PCP only", { igd: false, pcp: true }, "pcp", "pcp"],
  ["all of them", { igd: 2, pcp: true }, "auto", "pcp"],
];

describeLab("port mapper", () => {
  test.for(GUISES)("%s: UDP and TCP on one number, packets follow, nothing stays", async ([, upnp, via, expected]) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp });
    const host = await gateway.host();
    const client = await lab.host();
    const process = sallyport(host, "map", "7777", "--via", via, "--json");
    const mapped = await next(process, "mapped");
    expect(mapped).toMatchObject({
      via: expected,
      protocol: "both",
      externalAddress: gateway.wanAddress,
      externalPort: 7777,
      verified: true,
    });
    expect(await portsOf(gateway)).toEqual([`tcp 7777 ${host.address}`, `udp 7777 ${host.address}`]);
    host.spawnModule(new URL("./modules/gateway-echo.ts", import.meta.url), { port: 7777 });
    const answer = await client.run(new URL("./modules/gateway-ask.ts", import.meta.url), {
      address: gateway.wanAddress,
      port: 7777,
    });
    expect(answer).toEqual({ udp: "echo", tcp: "echo" });
    process.kill("SIGTERM");
    expect((await next(process, "unmapped")).reason).toBe("it was given back");
    expect(await process.exited).toMatchObject({ code: 0 });
    expect(await portsOf(gateway)).toEqual([]);
    expect(journalOf(host)).toEqual([]);
  });

  test.for(["upnp", "nat-pmp", "pcp"])("%s: a gateway that restarts and forgets has the mapping again", async (via) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const process = sallyport(host, "map", "7777", "--via", via, "--json");
    await next(process, "mapped");
    await gateway.restartUpnp({ keepState: false, crash: true });
    await eventually("both protocols are mapped again", async () => (await portsOf(gateway)).length === 2);
    process.kill();
    await process.exited;
    expect(await portsOf(gateway)).toEqual([]);
  });

  test("a mapping that was removed by hand is made again", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const host = await gateway.host();
    const process = sallyport(host, "map", "7777", "--json");
    await next(process, "mapped");
    await gateway.removeMapping("udp", 7777);
    expect((await next(process, "lost")).reason).toMatch(/gone from the router/);
    expect(await next(process, "mapped")).toMatchObject({ externalPort: 7777 });
    expect(await portsOf(gateway)).toEqual([`tcp 7777 ${host.address}`, `udp 7777 ${host.address}`]);
  });

  test.for(["upnp", "pcp", "nat-pmp"])("%s: the WAN address changes", async (via) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const process = sallyport(host, "map", "7777", "--via", via, "--json");
    await next(process, "mapped");
    await gateway.setWanAddress();
    expect(
      await process.waitForJson<Line>((line) => line.externalAddress === gateway.wanAddress, 50_000),
    ).toMatchObject({ event: expect.stringMatching(/changed|mapped/) as string });
  });

  test("a gateway behind another NAT is named as such, and holds nothing", async () => {
    await using lab = await Lab.create();
    const outer = await lab.gateway();
    const inner = await lab.gateway({ behind: outer, upnp: { igd: 2, pcp: true } });
    const host = await inner.host();
    const process = sallyportOnce(host, "map", "7777", "--json");
    const failed = await next(process, "failed");
    expect(failed).toMatchObject({ kind: "double-nat" });
    expect(failed.reason).toMatch(/double NAT|behind another NAT/);
    expect(await process.exited).toMatchObject({ code: 1 });
    expect(await portsOf(inner)).toEqual([]);
  });

  test("two servers on each of two hosts want the same port: four mappings, all working", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const hosts = [await gateway.host(), await gateway.host()];
    const client = await lab.host();
    const servers = hosts.flatMap((host) =>
      [7001, 7002].map((internal) => {
        host.spawnModule(new URL("./modules/gateway-echo.ts", import.meta.url), {
          port: internal,
          text: `${host.address}:${internal}`,
        });
        return {
          host,
          internal,
          process: sallyport(
            host,
            "map",
            "7777",
            "--internal",
            String(internal),
            "--json",
            "--via",
            internal === 7001 ? "upnp" : "auto",
          ),
        };
      }),
    );
    const ports = await Promise.all(servers.map(async ({ process }) => (await next(process, "mapped")).externalPort));
    expect(new Set(ports).size).toBe(4);
    expect((await gateway.mappings()).length).toBe(8);
    for (const [index, { host, internal }] of servers.entries()) {
      const answer = await client.run(new URL("./modules/gateway-ask.ts", import.meta.url), {
        address: gateway.wanAddress,
        port: ports[index],
      });
      expect(answer).toEqual({ udp: `${host.address}:${internal}`, tcp: `${host.address}:${internal}` });
    }
    for (const { process } of servers) process.kill();
    await Promise.all(servers.map(({ process }) => process.exited));
    expect(await portsOf(gateway)).toEqual([]);
  });

  test("another machine's mapping is neither taken nor removed", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const [host, other] = [await gateway.host(), await gateway.host()];
    for (const protocol of ["udp", "tcp"] as const)
      await gateway.addMapping({ host: other, protocol, externalPort: 7777 });
    const process = sallyport(host, "map", "7777", "--json");
    const { externalPort } = await next(process, "mapped");
    expect(externalPort).not.toBe(7777);
    const unmap = sallyport(host, "unmap", "7777", "--json");
    await next(unmap, "foreign");
    expect(await unmap.exited).toMatchObject({ code: 1 });
    process.kill();
    await process.exited;
    expect(await portsOf(gateway)).toEqual([`tcp 7777 ${other.address}`, `udp 7777 ${other.address}`]);
    // The same alternative at the next start.
    const again = sallyport(host, "map", "7777", "--json");
    expect((await next(again, "mapped")).externalPort).toBe(externalPort);
  });

  test("two gateways: the one that maps serves; when it goes, the other takes over", async () => {
    await using lab = await Lab.create();
    const first = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const second = await lab.gateway({ upnp: { igd: 2 } });
    const host = await first.host();
    await plugInto(host, second);
    const process = sallyport(host, "map", "7777", "--json");
    expect(await next(process, "mapped")).toMatchObject({ externalAddress: first.wanAddress });
    await first.stopUpnp({ keepState: false, crash: true });
    await next(process, "lost", 60_000);
    expect(await next(process, "mapped", 30_000)).toMatchObject({ externalAddress: second.wanAddress });
    process.kill();
    await process.exited;
    expect(await portsOf(second)).toEqual([]);
  });

  test.for(["upnp", "pcp"])("%s: an IPv6 pinhole", async (via) => {
    await using lab = await Lab.create({ ipv6: true });
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const client = await lab.host();
    host.spawnModule(new URL("./modules/gateway-echo.ts", import.meta.url), { port: 7777 });
    const ask = (): Promise<unknown> =>
      client.run(new URL("./modules/gateway-ask.ts", import.meta.url), {
        address: host.address6,
        port: 7777,
        timeoutMs: 1500,
      });
    expect(await ask()).toEqual({ udp: null, tcp: null });
    const process = sallyport(host, "map", "7777", "--via", via, "--ipv6", "--json");
    expect(await next(process, "mapped")).toMatchObject({
      via,
      externalAddress: host.address6,
      externalPort: 7777,
      protocol: "both",
    });
    expect(await ask()).toEqual({ udp: "echo", tcp: "echo" });
    process.kill();
    expect((await next(process, "unmapped")).reason).toBe("it was given back");
    await process.exited;
    expect(await ask()).toEqual({ udp: null, tcp: null });
  });

  test("list shows every router and its table, unmap removes what is ours", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const [host, other] = [await gateway.host(), await gateway.host()];
    await gateway.addMapping({ host: other, protocol: "udp", externalPort: 6000 });
    const crashed = sallyport(host, "map", "7777", "--via", "pcp", "--json");
    await next(crashed, "mapped");
    crashed.kill("SIGKILL");
    await crashed.exited;
    const list = sallyport(host, "list", "--json");
    expect(await list.exited).toMatchObject({ code: 0 });
    const lines = list.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line & { isOurs?: boolean; transport?: string });
    expect(lines.filter(({ event }) => event === "gateway").map(({ via }) => via)).toEqual(
      expect.arrayContaining(["pcp", "nat-pmp", "upnp"]),
    );
    expect(
      lines
        .filter(({ event }) => event === "mapping")
        .map(({ transport, externalPort, isOurs }) => [transport, externalPort, isOurs]),
    ).toEqual([
      ["udp", 6000, false],
      ["tcp", 7777, true],
      ["udp", 7777, true],
    ]);
    const unmap = sallyport(host, "unmap", "7777", "--json");
    expect(await unmap.exited).toMatchObject({ code: 0 });
    expect(await portsOf(gateway)).toEqual([`udp 6000 ${other.address}`]);
  });

  // Near the game's port: for PCP and NAT-PMP miniupnpd looks at one port after another, with a line of its log for each.
  const RANGE = ["allow 7801-7900 0.0.0.0/0 1024-65535", "deny 0-65535 0.0.0.0/0 0-65535"];
  test.for<[string, UpnpOptions, string]>([
    ["IGD:2", { igd: 2, config: RANGE }, "upnp"],
    ["IGD:1", { igd: 1, config: RANGE }, "upnp"],
    ["NAT-PMP", { igd: false, natpmp: true, config: RANGE }, "nat-pmp"],
    ["PCP", { igd: false, pcp: true, config: RANGE }, "pcp"],
  ])(
    "%s: a router that lets programs map a range alone has a port of it, and confirms that it is gone",
    async ([, upnp, via]) => {
      await using lab = await Lab.create();
      const gateway = await lab.gateway({ upnp });
      const host = await gateway.host();
      const process = sallyport(host, "map", "7777", "--via", via, "--json");
      const { externalPort } = await next(process, "mapped");
      expect(externalPort).toBeGreaterThanOrEqual(7801);
      expect(externalPort).toBeLessThanOrEqual(7900);
      expect(await portsOf(gateway)).toEqual([
        `tcp ${externalPort} ${host.address}`,
        `udp ${externalPort} ${host.address}`,
      ]);
      process.kill();
      expect((await next(process, "unmapped")).reason).toBe("it was given back");
      await process.exited;
      expect(await portsOf(gateway)).toEqual([]);
      expect(journalOf(host)).toEqual([]);
    },
  );

  test.for(["pcp", "nat-pmp"])("%s: a mapping that another program deleted is back within a minute", async (via) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const process = sallyport(host, "map", "7777", "--via", via, "--json");
    await next(process, "mapped");
    await gateway.removeMapping("udp", 7777);
    await eventually("it is back", async () => (await portsOf(gateway)).includes(`udp 7777 ${host.address}`), 66_000);
    process.kill();
    await process.exited;
    expect(await portsOf(gateway)).toEqual([]);
  });

  test("unmap says that another program made a mapping; a computer with two addresses sees each router once", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const { code } = await host.exec(["ip", "addr", "add", `${gateway.lanPrefix}.99/24`, "dev", "eth0"]);
    expect(code).toBe(0);
    await gateway.addMapping({ host, protocol: "udp", externalPort: 7777, description: "somebody's" });
    const list = sallyport(host, "list", "--json");
    await list.exited;
    const lines = list.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line & { isMadeHere?: boolean });
    const gateways = lines.filter(({ event }) => event === "gateway");
    expect(gateways.map(({ via }) => via).sort()).toEqual(["nat-pmp", "pcp", "upnp"]);
    for (const { externalAddress } of gateways) expect(externalAddress).toBe(gateway.wanAddress);
    expect(lines.find(({ event }) => event === "mapping")).toMatchObject({ isOurs: true, isMadeHere: false });
    const shown = sallyport(host, "list");
    await shown.exited;
    expect(shown.stdout.split("\n").filter((line) => line.includes(` at ${gateway.lanAddress} `))).toHaveLength(1);
    const unmap = sallyport(host, "unmap", "7777");
    expect(await unmap.exited).toMatchObject({ code: 0 });
    expect(unmap.stdout).toMatch(/was not ours: another program made it \(somebody's\)/);
    expect(await portsOf(gateway)).toEqual([]);
  });

  test("an option names the router: the default gateway is not asked", async () => {
    await using lab = await Lab.create();
    const first = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const second = await lab.gateway({ upnp: { igd: 2 } });
    const host = await first.host();
    await plugInto(host, second);
    const process = sallyport(host, "map", "7777", "--json", "--gateway", second.lanAddress);
    expect(await next(process, "mapped")).toMatchObject({ externalAddress: second.wanAddress, proof: "router" });
    expect(await portsOf(first)).toEqual([]);
  });

  test("UPNP.discoverIpv6", async () => {
    await using lab = await Lab.create({ ipv6: true });
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const host = await gateway.host();
    const found = await host.run<Record<string, unknown>>(new URL("./modules/upnp-ipv6.ts", import.meta.url));
    expect(found).toMatchObject({ result: 0, gateway: true, externalAddress: gateway.wanAddress });
    expect(found["controlUrl"]).toMatch(/^http:\/\/\[/);
  });

  test("this computer gets another address", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const process = sallyport(host, "map", "7777", "--json");
    await next(process, "mapped");
    await host.setAddress();
    expect((await next(process, "lost")).reason).toMatch(/address .* is gone/);
    expect(await next(process, "mapped")).toMatchObject({ internalAddress: host.address });
    await eventually(
      "packets go to the new address",
      async () =>
        (await portsOf(gateway)).includes(`udp 7777 ${host.address}`) ||
        (await gateway.mappings()).some(({ internalAddress }) => internalAddress === host.address),
    );
  });

  test("no gateway: a verdict within a second; with --wait it is mapped when one appears", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    await gateway.stopUpnp();
    const host = await gateway.host();
    const process = sallyport(host, "map", "7777", "--json", "--wait");
    const failed = await next(process, "failed");
    expect(failed).toMatchObject({ kind: "no-gateway" });
    await gateway.startUpnp();
    expect(await next(process, "mapped")).toMatchObject({ externalPort: 7777 });
  });

  test("kill -9: the next start removes what is still ours, and nothing else", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const [host, other] = [await gateway.host(), await gateway.host()];
    await gateway.addMapping({ host: other, protocol: "udp", externalPort: 6000 });
    for (const via of ["upnp", "pcp", "nat-pmp"]) {
      const crashed = sallyport(host, "map", "7777", "--via", via, "--json");
      await next(crashed, "mapped");
      crashed.kill("SIGKILL");
      await crashed.exited;
      expect(await portsOf(gateway)).toContain(`udp 7777 ${host.address}`);
      // Another port, so that it cannot simply be taken up again.
      const process = sallyport(host, "map", "8888", "--internal", "8888", "--via", via, "--json");
      await next(process, "mapped");
      expect(await portsOf(gateway)).toEqual([
        `tcp 8888 ${host.address}`,
        `udp 6000 ${other.address}`,
        `udp 8888 ${host.address}`,
      ]);
      process.kill();
      await process.exited;
      expect(await portsOf(gateway)).toEqual([`udp 6000 ${other.address}`]);
    }
  });
});

/** Gives a host a second interface, on another gateway's LAN. */
async function plugInto(host: Host, gateway: Gateway): Promise<void> {
  const { address, peer } = gateway.newLink();
  const run = async (command: string, where: Host | Gateway = host): Promise<void> => {
    const { code, output } = await where.exec(command.split(" "));
    if (code !== 0) throw new Error(`${command}: ${output}`);
  };
  await run(`ip link add eth1 type veth peer name ${peer.interface} netns ${peer.namespace}`);
  await run(`ip addr add ${address}/24 dev eth1`);
  await run("ip link set eth1 up");
  await run(`ip link set ${peer.interface} master lan up`, gateway);
}
