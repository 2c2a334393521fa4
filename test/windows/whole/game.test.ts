// A newcomer on Windows: npm create, with real packages, then a game behind a router that is played, tested and ended.
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, globSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Gateway, Lab } from "../../lab/lab/index.ts";
import { environment } from "../../lab/lab/netns.ts";
import { describeLab } from "../../lab/lab/vitest.ts";
import { routePrint } from "../routes.ts";
import { installWine, NODE, REPOSITORY, WindowsComputer } from "../wine/computer.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CREATE = `${REPOSITORY}\\server-template\\bin\\create-sallyport.js`;
const GAMES = "/computer/prefix/drive_c/games";
const GAME = { folder: `${GAMES}/my-game` };
const MINUTES = 60_000;

describeLab("a scaffolded game on Windows", () => {
  let lab: Lab;
  let router: Gateway;
  let home: WindowsComputer;
  let created = "";
  beforeAll(async () => {
    const wine = await installWine();
    if (!("installation" in wine)) throw new Error(wine.reason);
    lab = await Lab.create();
    router = await lab.gateway({ upnp: { igd: 2, natpmp: true } });
    home = await WindowsComputer.boot(await router.host(), wine);
    home.setRoutes(routePrint(home.machine));
    mkdirSync(join(home.drive, "games"));
    const here = join(home.drive, "../../tmp");
    await npm("pack", "--silent", "--ignore-scripts", "--pack-destination", here, join(ROOT, "sdk"));
    const [sdk = ""] = globSync("sallyport-*.tgz", { cwd: here });
    const argv = ["my-game", "--yes", "--no-git", "--sdk", `Z:\\computer\\tmp\\${sdk}`];
    const { code, output } = await home.exec([NODE, CREATE, ...argv], {
      folder: GAMES,
      outside: true,
      timeoutMs: 10 * MINUTES,
      env: await registry(here),
    });
    expect(code, output).toBe(0);
    created = output;
    await home.shutDown();
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  async function npm(...argv: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("npm", argv, { cwd: ROOT, env: environment() });
    return stdout.trim();
  }

  /** How this machine reaches its registry. */
  async function registry(here: string): Promise<Record<string, string>> {
    const [url, authority] = await Promise.all([npm("config", "get", "registry"), npm("config", "get", "cafile")]);
    if (!existsSync(authority)) return { npm_config_registry: url };
    copyFileSync(authority, join(here, "authority.pem"));
    return { npm_config_registry: url, npm_config_cafile: "Z:\\computer\\tmp\\authority.pem" };
  }

  const run = (...argv: string[]): ReturnType<WindowsComputer["exec"]> =>
    home.exec(["cmd", "/c", "npm", ...argv], { ...GAME, timeoutMs: 10 * MINUTES });

  test("npm create says what to do next, and no warning", () => {
    expect(created).toMatch(/Next:\s+cd my-game\s+npm run dev/);
    expect(created).not.toMatch(/warn|deprecat/i);
  });

  test("npm test and npm run check pass", async () => {
    const tests = await run("test");
    expect(tests.code, tests.output).toBe(0);
    const check = await run("run", "check");
    expect(check.code, check.output).toBe(0);
  });

  test("npm run doctor: mapped", async () => {
    const doctor = await run("run", "doctor");
    expect(doctor.code, doctor.output).toBe(0);
    expect(doctor.output).toMatch(/^mapped/m);
    // The line that lets players in, as it can be pasted.
    expect(doctor.output).toContain(`program="${NODE}"`);
  });

  test("npm start, and Ctrl-C: no port stays open", async () => {
    const window = await home.terminal(["cmd", "/c", "npm", "start"], GAME);
    await window.line(/^(Anyone can join at|Your router)/);
    const ports = (await router.mappings()).map(({ protocol, externalPort }) => `${protocol} ${externalPort}`);
    expect(ports.sort()).toEqual(["tcp 2567", "udp 2567"]);
    window.interrupt();
    await window.ended();
    await home.quiet();
    expect(await router.mappings(), window.output).toEqual([]);
    window.close();
  });
});
