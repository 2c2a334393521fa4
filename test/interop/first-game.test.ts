/** docs/your-first-game.md and docs/shipping.md, as a reader follows them: their files are written, compiled and run. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { codeBlocks } from "./docs-blocks.ts";
import { freePort } from "./lobby-programs.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";
import { run, Terminal } from "./template-terminal.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const blocks = ["docs/your-first-game.md", "docs/shipping.md"].flatMap(codeBlocks);
/** No router is asked, and nobody on this network is told. */
const QUIET = { SALLYPORT_VIA: "none", SALLYPORT_LAN: "none", SALLYPORT_STUN_URLS: "", LOBBY_URL: "" };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-first-game-"));
  // What the page's `npm install` would bring.
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  // The reader has @types/express.
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/express.d.ts"), 'declare module "express";\n');
  for (const { file, code } of blocks) {
    if (file === undefined) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), code);
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("it compiles with the reader's tsconfig.json", { timeout: 120_000 }, () => {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
});

test("a server, a player in Node and one in a page: chat, and dots that move", { timeout: 180_000 }, async () => {
  const commands = blocks.filter(({ language, why }) => language === "sh" && why === undefined).map(({ code }) => code);
  expect(commands).toEqual(["node src/server.ts\n", "node src/join.ts http://localhost:2567 Ada\n"]);
  const port = await freePort();
  const env = { ...QUIET, PORT: String(port) };
  await using server = new Terminal([process.execPath, "src/server.ts"], { cwd: folder, env });
  await server.line(/^Play at http:/);
  await server.line(/^Only players on this network can join/);
  const url = `http://localhost:${port}`;
  await using ada = new Terminal([process.execPath, "src/join.ts", url, "Ada"], { cwd: folder, env: QUIET });
  await ada.line(/^In, direct to /);
  await using ben = new Terminal([process.execPath, "src/join.ts", url, "Ben"], { cwd: folder, env: QUIET });
  await ben.line(/^In, direct to /);
  ada.type("hello");
  await ben.line(/^Ada: hello$/);
  // In the middle it began; where the circle is, it moves.
  const seen = new Set<string>();
  for (let i = 1; seen.size < 3; i++) {
    ada.type("where");
    seen.add(await ada.line(/^At \d+, \d+$/, i));
  }

  if (hasChromium) {
    await using browser = await openChromium();
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.goto(url);
    await page.getByText(/^In, (direct|websocket)$/).waitFor();
    await page.getByLabel("What to say").fill("hi");
    await page.getByRole("button", { name: "Say" }).click();
    await ada.line(/^Page: hi$/);
    ada.type("<b>welcome</b>");
    await page.getByText("Ada: <b>welcome</b>").waitFor();
    // Each of the three is drawn, the pointer's own where it points to.
    await page.mouse.move(200, 200);
    await page.waitForFunction(() => {
      const canvas = document.querySelector("canvas");
      const data = canvas?.getContext("2d")?.getImageData(0, 0, 800, 500).data ?? [];
      let dark = 0;
      for (let i = 3; i < data.length; i += 4) if ((data[i] ?? 0) > 128) dark++;
      return dark > 3 * 400;
    });
    expect(errors).toEqual([]);
  }
  server.interrupt();
  await ada.line(/^Over \(4001\)\.$/);
});

test("accounts: who has no token is refused, who has one is in", async () => {
  const port = await freePort();
  const { output, code } = await run([process.execPath, "src/members.ts"], {
    cwd: folder,
    env: { ...QUIET, PORT: String(port) },
  });
  expect(output).toMatch(/^Refused: Sign in first\.$[^]*^Ada is in$/m);
  expect(code).toBe(0);
});
