// Windows as far as Wine has it, with the real Node for Windows, behind a real router: what a person does in the first minutes.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Reachability } from "../../sdk/src/connectivity/reachability.ts";
import { type Gateway, type Host, Lab, type LabProcess } from "../lab/lab/index.ts";
import { describeLab } from "../lab/lab/vitest.ts";
import { routePrint } from "./routes.ts";
import { installWine, NODE, REPOSITORY, SALLYPORT, WindowsComputer } from "./wine/computer.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Generous: it bounds a failure on a machine that does much else. */
const PATIENCE_MS = 180_000;
const example = (name: string): string => `${REPOSITORY}\\examples\\lobby\\src\\${name}.ts`;

describeLab("Windows", { timeout: 2 * PATIENCE_MS }, () => {
  let lab: Lab | undefined;
  let router: Gateway;
  let home: WindowsComputer;
  /** Elsewhere on the internet. */
  let friend: WindowsComputer;
  let stranger: Host;
  /** Why there is no Wine: its packages cannot be fetched. */
  let missing = "";
  beforeAll(async () => {
    const wine = await installWine();
    if (!("installation" in wine)) {
      missing = wine.reason;
      console.log(`Windows is not tested: ${missing}`);
      return;
    }
    lab = await Lab.create();
    router = await lab.gateway({ upnp: { igd: 2, natpmp: true } });
    stranger = await lab.host();
    home = await WindowsComputer.boot(await router.host(), wine);
    home.setRoutes(routePrint(home.machine));
    friend = await WindowsComputer.boot(await lab.host(), wine);
  });
  beforeEach(({ skip }) => {
    if (missing !== "") skip(missing);
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  const ports = async (): Promise<string[]> =>
    (await router.mappings()).map(({ protocol, externalPort }) => `${protocol} ${externalPort}`).sort();

  test("doctor: the default gateway is found by ROUTE.EXE alone, and asked by all three protocols", async () => {
    const { code, stdout, output } = await home.exec([...SALLYPORT, "doctor", "--json"]);
    const report = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Reachability;
    expect(report.verdict, output).toBe("mapped");
    expect(code).toBe(0);
    const outcomes = Object.fromEntries(report.steps.map(({ step, outcome }) => [step, outcome]));
    expect(outcomes, output).toMatchObject({ interfaces: "ok", pcp: "ok" });
    expect(report.gateways.map(({ via }) => via).sort(), output).toEqual(expect.arrayContaining(["nat-pmp", "pcp"]));
    expect(await ports()).toEqual([]);
  });

  test.for([
    ["pcp", 9001],
    ["nat-pmp", 9002],
    ["upnp", 9003],
  ] as const)("map by %s, list; killed, unmap by another program", async ([via, port]) => {
    const map = home.spawn([...SALLYPORT, "map", String(port), "--via", via, "--json"]);
    await map.waitForJson<{ event: string }>(({ event }) => event === "mapped", PATIENCE_MS);
    expect(await ports()).toEqual([`tcp ${port}`, `udp ${port}`]);
    expect(home.stateFiles().some((name) => name.startsWith("mappings-"))).toBe(true);
    const list = await home.exec([...SALLYPORT, "list"]);
    expect(list.stdout).toContain(`TCP  ${port}`);
    await home.kill("main.js map");
    await map.exited;
    const unmap = await home.exec([...SALLYPORT, "unmap", String(port)]);
    expect(unmap.code, unmap.output).toBe(0);
    expect(await ports()).toEqual([]);
  });

  test("a host that a Linux and a Windows player join", async () => {
    const host = home.spawn([NODE, example("host"), "--json"]);
    await host.waitForJson<{ event: string; verdict?: string }>(({ verdict }) => verdict === "mapped", PATIENCE_MS);
    const url = `http://${router.wanAddress}:7777`;
    const argv = [url, "--seconds", "2", "--json"];
    const players = await Promise.all([
      result(stranger.spawn([process.execPath, `${ROOT}/examples/lobby/src/join.ts`, ...argv])),
      result(friend.spawn([NODE, example("join"), ...argv])),
    ]);
    for (const player of players) {
      expect(player).toMatchObject({ connected: true, path: "direct", lost: 0 });
      expect(player["received"]).toBeGreaterThan(5);
    }
    await home.kill("host.ts");
  });

  test("npm start in a window, and Ctrl-C: no port stays open", async () => {
    const window = await home.terminal(["cmd", "/c", "npm", "start", "--ignore-scripts"]);
    await window.line(/mapped: (Anyone can join|Your router)/);
    // Game and WebRTC; what the host before left is gone.
    expect(await ports()).toEqual(expect.arrayContaining(["tcp 7777", "udp 7777"]));
    window.interrupt();
    await window.ended();
    // cmd.exe does not wait for what it has started.
    await home.quiet();
    expect(await ports(), window.output).toEqual([]);
    expect(home.stateFiles()).toEqual(["routers.json"]);
    window.close();
  });
});

async function result(process: LabProcess): Promise<Record<string, unknown>> {
  const line = await process.waitForJson((value) => "connected" in value, PATIENCE_MS);
  await process.exited;
  return line;
}
