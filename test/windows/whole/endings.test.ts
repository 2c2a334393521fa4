// Every way in which a host ends on Windows. Of each the router is asked afterwards: nothing may be left there.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Gateway, Lab, type Mapping } from "../../lab/lab/index.ts";
import { describeLab } from "../../lab/lab/vitest.ts";
import { until } from "../../until.ts";
import { routePrint } from "../routes.ts";
import { installWine, NODE, REPOSITORY, SALLYPORT, WindowsComputer } from "../wine/computer.ts";

const TIMES = 10;
/** Generous: a busy machine has taken five minutes for what takes ten seconds. */
const PATIENCE_MS = 600_000;
/** Their numbers on Windows. */
const [SIGHUP, SIGBREAK] = [1, 21];
const [, MAIN = ""] = SALLYPORT;
const START = `${REPOSITORY}\\examples\\lobby\\src\\start.ts`;
const program = (name: string): string => `${REPOSITORY}\\test\\windows\\programs\\${name}.ts`;

describeLab("a host on Windows ends", () => {
  let lab: Lab;
  let router: Gateway;
  let home: WindowsComputer;
  beforeAll(async () => {
    const wine = await installWine();
    if (!("installation" in wine)) throw new Error(wine.reason);
    lab = await Lab.create();
    router = await lab.gateway({ upnp: { igd: 2, natpmp: true } });
    home = await WindowsComputer.boot(await router.host(), wine);
    home.setRoutes(routePrint(home.machine));
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  // What a failed test leaves running has the ports that the next one needs.
  beforeEach(({ onTestFailed }) => onTestFailed(() => home.shutDown()));

  const ports = (mappings: readonly Mapping[]): string[] =>
    mappings.map(({ protocol, externalPort }) => `${protocol} ${externalPort}`).sort();
  /** Nothing but where routers were met. */
  const remembered = (): string[] => home.stateFiles().filter((name) => name !== "routers.json");

  test.for(Array.from({ length: TIMES }, (_, n) => n + 1))("npm start, Ctrl-C: %i", async () => {
    const window = await home.terminal(["cmd", "/c", "npm", "start", "--ignore-scripts"]);
    await window.line(/mapped: (Anyone can join|Your router)/, PATIENCE_MS);
    expect(ports(await router.mappings())).toEqual(expect.arrayContaining(["tcp 7777", "udp 7777"]));
    window.interrupt();
    await window.ended();
    // cmd.exe does not wait for what it has started.
    await home.quiet();
    expect(ports(await router.mappings()), window.output).toEqual([]);
    expect(remembered()).toEqual([]);
    window.close();
  });

  test.for(Array.from({ length: TIMES }, (_, n) => n + 1))(
    "killed, its number given to another program, the next start removes what it left: %i",
    async (n) => {
      const port = 9000 + n;
      const map = home.spawn([...SALLYPORT, "map", String(port), "--json"]);
      await map.waitForJson<{ event: string }>(({ event }) => event === "mapped", PATIENCE_MS);
      const [, pid] = /^mappings-(\d+)-/.exec(remembered().find((name) => name.startsWith("mappings-")) ?? "") ?? [];
      expect(pid).toBeDefined();
      await home.kill("main.js map");
      await map.exited;
      const sitter = home.spawn([NODE, program("sitter"), pid ?? ""]);
      await sitter.waitForLine(/^sitting/, PATIENCE_MS);
      expect(ports(await router.mappings())).toEqual([`tcp ${port}`, `udp ${port}`]);
      const next = home.spawn([...SALLYPORT, "map", "9100", "--json"]);
      await next.waitForJson<{ event: string }>(({ event }) => event === "mapped", PATIENCE_MS);
      // Before it asks this protocol for anything of its own; another protocol may have been quicker.
      await until(async () => ports(await router.mappings()).join() === "tcp 9100,udp 9100");
      await home.kill("main.js map");
      await home.kill("sitter.ts");
      await Promise.all([next.exited, sitter.exited]);
      expect((await home.exec([...SALLYPORT, "unmap", "9100"])).code).toBe(0);
      expect(ports(await router.mappings())).toEqual([]);
    },
  );

  // For a closed window Windows gives a program five seconds.
  test.for([
    ["Ctrl-Break", "break", [MAIN, "map", "9200", "--json"]],
    ["a closed window", "close", [MAIN, "map", "9200", "--json"]],
    ["Ctrl-Break", "break", [START]],
    ["a closed window", "close", [START]],
  ] as const)("%s, told as Windows tells it: %s %j", async ([, event, argv]) => {
    const { stdout, output } = await home.exec([NODE, program("console-event"), event, ...argv], {
      timeoutMs: PATIENCE_MS,
    });
    const { ended, ms } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { ended: number; ms: number };
    await home.quiet();
    expect(ports(await router.mappings()), output).toEqual([]);
    expect(remembered(), output).toEqual([]);
    expect([0, 128 + SIGHUP, 128 + SIGBREAK], output).toContain(ended);
    expect(ms).toBeLessThan(5000);
  });
});
