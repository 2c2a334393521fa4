/** A newcomer's first minutes: `npm create sallyport`, from the packages as they would be published. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, isFree, RunningProgram } from "./lobby-programs.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";
import { createFrom, pack, ROOT } from "./template-packages.ts";
import { run, Terminal } from "./template-terminal.ts";

const MINUTE = 60_000;

let folder = "";
let packages: { sdk: string; create: string };
let game = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-template-"));
  game = join(folder, "my-game");
  const [sdk, create] = [await pack("sdk", folder), await pack("server-template", folder)];
  packages = { sdk: sdk.path, create: create.path };
  expect(create.files).toEqual(
    expect.arrayContaining([
      "bin/create-sallyport.js",
      "dist/main.js",
      "templates/arena/_gitignore",
      "templates/lobby/_env.example",
      "README.md",
      "LICENSE",
    ]),
  );
  for (const file of [...sdk.files, ...create.files])
    expect(file).not.toMatch(/node_modules|tsbuildinfo|\.env$|\.tgz$/);
  const output = await createFrom(packages, folder, ["my-game", "--yes", "--no-git", "--no-public"]);
  expect(output).toMatch(/Next:\s+cd my-game\s+npm run dev/);
}, 5 * MINUTE);

afterAll(async () => {
  if (folder !== "") await rm(folder, { recursive: true, force: true });
});

describe("the scaffolded game", () => {
  test("its packages install without a warning", { timeout: 2 * MINUTE }, async () => {
    // As by hand, without what the scaffolder keeps quiet: an install script that nobody has decided on is a warning of npm 11.
    const installed = await run(["npm", "install", "--no-audit"], { cwd: game });
    expect(installed.code, installed.output).toBe(0);
    expect(installed.output).not.toMatch(/npm warn/);
  });

  test("its types are right, its tests pass", { timeout: 2 * MINUTE }, async () => {
    const check = await run(["npm", "run", "check"], { cwd: game });
    expect(check.code, check.output).toBe(0);
    const tests = await run(["npm", "test"], { cwd: game });
    expect(tests.code, tests.output).toBe(0);
    expect(tests.output).toMatch(/fail 0$/m);
  });

  test("carries its own name, and settings of its own", async () => {
    const manifest = JSON.parse(await readFile(join(game, "package.json"), "utf8"));
    expect(manifest).toMatchObject({ name: "my-game", dependencies: { sallyport: `file:${packages.sdk}` } });
    const [example, own] = await Promise.all(
      [".env.example", ".env"].map((name) => readFile(join(game, name), "utf8")),
    );
    expect(own).toBe(example);
    // Each variable that the game reads is explained there.
    const sources = await Promise.all(
      ["src/app.config.ts", "src/index.ts", "src/announce.ts", "client/play.ts"].map((name) =>
        readFile(join(game, name), "utf8"),
      ),
    );
    const used = new Set(sources.join("\n").match(/(?<=process\.env\.)[A-Z_]+/g));
    expect(used.size).toBeGreaterThan(3);
    for (const name of used) expect(example).toMatch(new RegExp(`^#?${name}=`, "m"));
  });

  test("npm run dev: played from a second terminal, changed, played again, ended", {
    timeout: 2 * MINUTE,
  }, async () => {
    const port = await freePort();
    const env = { PORT: String(port) };
    await using server = new Terminal(["npm", "run", "dev"], { cwd: game, env });
    await server.line(/^Play in this machine's browser: http:\/\/localhost:/);
    await server.line(/^Only players on this network can join/);
    const own = new URL(/http:\S+/.exec(await server.line(/^How it goes, for you alone: /))?.[0] ?? "");
    const authorization = `Bearer ${own.searchParams.get("key")}`;
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization } });
    expect([metrics.status, await metrics.text()]).toEqual([200, expect.stringContaining("sallyport_")]);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(403);
    const play = (): ReturnType<typeof run> =>
      run(["npm", "run", "play", "--", `http://127.0.0.1:${port}`, "--seconds", "1"], { cwd: game });
    const first = await play();
    expect(first.code, first.output).toBe(0);
    expect(first.output).toMatch(/^In, direct to 127\.0\.0\.1:/m);
    expect(first.output).toMatch(/^Bot waves$/m);

    const second = await run(["npm", "start"], { cwd: game, env });
    expect(second.code).toBe(1);
    expect(second.output).toContain(
      `Port ${port} is in use by another program. End that program, or choose another PORT`,
    );

    const rules = join(game, "public/rules.js");
    await writeFile(rules, (await readFile(rules, "utf8")).replace("SPEED = 220", "SPEED = 221"));
    await server.line(/^Play in this machine's browser/, 2);
    const load = await run(
      ["npm", "run", "loadtest", "--", "--url", `http://127.0.0.1:${port}`, "--players", "5", "--seconds", "1"],
      { cwd: game },
    );
    expect(load.output).toMatch(/^5 of 5 players in/m);
    expect(load.output).toMatch(/^0 of 5 players lost/m);
    expect(load.code).toBe(0);

    server.interrupt();
    await server.exited;
    expect(await isFree(port)).toBe(true);
  });

  test("with a lobby: an invite, by which a friend gets in; and it leaves the list", { timeout: MINUTE }, async () => {
    const lobbyPort = await freePort();
    await using lobby = new RunningProgram("lobby.ts", [], { PORT: String(lobbyPort) });
    await lobby.line(/Lobby at/);
    const url = `http://127.0.0.1:${lobbyPort}`;
    const env = { PORT: String(await freePort()), LOBBY_URL: url, GAME_NAME: "Friday night" };
    await using server = new Terminal(["npm", "start"], { cwd: game, env });
    const code = /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/.exec(await server.line(/^Invite your friends: /))?.[0] ?? "";
    expect(await (await fetch(`${url}/games`)).json()).toMatchObject([{ name: "Friday night" }]);
    const friend = await run(["npm", "run", "play", "--", code, "--lobby", url, "--seconds", "0.5"], { cwd: game });
    expect(friend.output).toMatch(/^In, direct to/m);
    server.interrupt();
    await server.exited;
    expect(await (await fetch(`${url}/games`)).json()).toEqual([]);
    const late = await run(["npm", "run", "play", "--", code, "--lobby", url], { cwd: game });
    expect(late).toMatchObject({ code: 1, output: expect.stringMatching(/mistyped, or has the host gone/) });
  });

  test("with a lobby that is not there it is playable all the same, and says so", { timeout: MINUTE }, async () => {
    const port = await freePort();
    const env = { PORT: String(port), LOBBY_URL: `http://127.0.0.1:${await freePort()}` };
    await using server = new Terminal(["npm", "start"], { cwd: game, env });
    await server.line(/^No invite for now, trying on: The lobby http:\/\/127\.0\.0\.1:\d+\/? cannot be reached/);
    const { output } = await run(["npm", "run", "play", "--", `http://127.0.0.1:${port}`, "--seconds", "0.2"], {
      cwd: game,
    });
    expect(output).toMatch(/^In, direct to/m);
    const wrong = await run(["npm", "run", "play", "--", env.LOBBY_URL], { cwd: game });
    expect(wrong).toMatchObject({ code: 1, output: expect.stringMatching(/The host does not answer: .*ECONNREFUSED/) });
  });

  test("npm run doctor explains itself", { timeout: MINUTE }, async () => {
    const { code, output } = await run(["npm", "run", "doctor", "--", "--json"], { cwd: game });
    const report = JSON.parse(output.split("\n").find((line) => line.startsWith("{")) ?? "{}") as Record<
      string,
      unknown
    >;
    expect(report).toMatchObject({
      verdict: expect.any(String),
      summary: expect.any(String),
      steps: expect.any(Array),
    });
    expect([0, 2, 3]).toContain(code);
  });

  test.runIf(hasChromium)("its page, in a browser, beside a player over UDP", { timeout: MINUTE }, async () => {
    const port = await freePort();
    await using server = new Terminal(["npm", "start"], { cwd: game, env: { PORT: String(port) } });
    await server.line(/^Play in/);
    await using _bot = new Terminal(["npm", "run", "play", "--", `http://127.0.0.1:${port}`, "--seconds", "60"], {
      cwd: game,
    });
    const browser = await openChromium();
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      await page.goto(`http://127.0.0.1:${port}/?name=Ada`);
      await page.locator("html[data-players='2']").waitFor();
      expect(await page.locator("#status").textContent()).toBe("You are in.");
      await page.locator("#wave").click();
      await page.screenshot({ path: join(folder, "page.png") });
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});

describe("create-sallyport", () => {
  const create = (argv: string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof run> =>
    run([process.execPath, join(ROOT, "server-template/bin/create-sallyport.js"), ...argv], { cwd: folder, env });
  const FILES_ONLY = ["--yes", "--no-install", "--no-git"];

  test.each<[string, string[], RegExp]>([
    ["no folder and nobody to ask", [], /Where to\? Name the folder/],
    ["capitals", ["My-Game"], /cannot be called "My-Game": capitals are not allowed\. Try my-game\./],
    ["a name of npm's", ["node_modules"], /npm keeps it for itself/],
    ["letters that npm does not like", ["spiel für zwei"], /Try spiel-fur-zwei\./],
    ["two folders", ["my", "game"], /One folder is expected, not also "game"/],
    ["an option that is none", ["x", "--gti"], /--gti is no option\. Did you mean --git\?/],
    ["a template that is none", ["x", "--template", "chess"], /no template "chess"\. There is: arena, lobby$/m],
  ])("%s", async (_, argv, message) => {
    const { code, output } = await create(argv);
    expect(output).toMatch(message);
    expect(code).toBe(64);
  });

  test("never overwrites without being told, and then only its own files", async () => {
    const target = join(folder, "occupied");
    await mkdir(target);
    await writeFile(join(target, "README.md"), "mine");
    await writeFile(join(target, "notes.txt"), "mine");
    const refused = await create(["occupied", ...FILES_ONLY]);
    expect(refused).toMatchObject({ code: 73, output: expect.stringMatching(/is not empty: it holds .*--force/) });
    expect(await readFile(join(target, "README.md"), "utf8")).toBe("mine");
    const forced = await create(["occupied", ...FILES_ONLY, "--force"]);
    expect(forced.code, forced.output).toBe(0);
    expect(await readFile(join(target, "README.md"), "utf8")).toContain("# occupied");
    expect(await readFile(join(target, "notes.txt"), "utf8")).toBe("mine");
    // A folder with a repository only is as good as empty.
    const fresh = join(folder, "fresh");
    await mkdir(join(fresh, ".git"), { recursive: true });
    expect((await create(["fresh", ...FILES_ONLY])).code).toBe(0);
    await writeFile(join(folder, "file"), "");
    expect(await create(["file", ...FILES_ONLY])).toMatchObject({
      code: 73,
      output: expect.stringMatching(/is a file/),
    });
  });

  test("makes a git repository, without the person's settings in it", async () => {
    const identity = { GIT_AUTHOR_NAME: "Ada", GIT_AUTHOR_EMAIL: "ada@example.com" };
    const env = { ...identity, GIT_COMMITTER_NAME: "Ada", GIT_COMMITTER_EMAIL: "ada@example.com" };
    const { code, output } = await create(["with-git", "--yes", "--no-install"], env);
    expect(code, output).toBe(0);
    const tree = await run(["git", "ls-tree", "--name-only", "-r", "HEAD"], { cwd: join(folder, "with-git") });
    expect(tree.output.split("\n")).toEqual(
      expect.arrayContaining([".env.example", ".gitignore", "src/app.config.ts"]),
    );
    expect(tree.output.split("\n")).not.toContain(".env");
    expect(tree.output).toContain("deploy/with-git.service");
  });

  test("without a network the project stands, and says how to go on", { timeout: MINUTE }, async () => {
    const env = {
      npm_config_registry: "http://127.0.0.1:1",
      npm_config_fetch_retries: "0",
      npm_config_cache: join(folder, "empty-cache"),
      npm_config_prefer_offline: "false",
    };
    const { code, output } = await create(["offline", "--yes", "--no-git"], env);
    expect(code).toBe(69);
    expect(output).toMatch(
      /registry cannot be reached\. Is this machine online\?[^]*Try again in its folder with: npm install/,
    );
    expect(await readFile(join(folder, "offline/package.json"), "utf8")).toContain('"name": "offline"');
  });

  test("an old Node is told so, by the program and by the project", async () => {
    const old =
      "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})";
    const bin = join(ROOT, "server-template/bin/create-sallyport.js");
    const { code, output } = await run([process.execPath, "--import", old, bin, "x"], { cwd: folder });
    expect(output).toMatch(/Node 20\.20\.2 is too old.*22\.19 or later\.\nInstall the current LTS/);
    expect(code).toBe(1);
    expect(await readFile(join(game, ".npmrc"), "utf8")).toContain("engine-strict=true");
  });

  test("--help and --version are answers", async () => {
    expect(await create(["--help"])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/Usage: .*[^]*Examples:/),
    });
    expect(await create(["--version"])).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  });

  test("works through a link, as npm makes one", async () => {
    await symlink(join(ROOT, "server-template/bin/create-sallyport.js"), join(folder, "link.js"));
    expect((await run([process.execPath, join(folder, "link.js"), "--version"], { cwd: folder })).code).toBe(0);
  });
});
