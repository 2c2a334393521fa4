/** The small examples, each started and used. */

import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { freePort, isFree } from "./lobby-programs.ts";
import { run, Terminal } from "./template-terminal.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
const node = (example: string, program: string, ...argv: string[]): [string, ...string[]] => [
  process.execPath,
  join(EXAMPLES, example, "src", program),
  ...argv,
];

test.each(["port-forward", "listen-server"])("%s is one idea: under 150 lines", (example) => {
  const folder = join(EXAMPLES, example, "src");
  const lines = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8").split("\n").length);
  expect(lines.reduce((sum, count) => sum + count, 0)).toBeLessThan(150);
});

describe("port-forward", () => {
  test("runs the command whatever the router says, and ends as it ends", async () => {
    const say = "console.log(process.env.EXTERNAL_PORT ?? 'inside'); process.exit(7)";
    const { code, output } = await run(node("port-forward", "main.ts", "7777", "--", process.execPath, "-e", say), {
      cwd: EXAMPLES,
    });
    expect(output).toMatch(/^For the local network only: .+/);
    expect(output).toMatch(/^inside$/m);
    expect(code).toBe(7);
  });

  test("Ctrl-C ends both", async () => {
    const idle = "console.log('up'); setInterval(() => {}, 1000)";
    await using both = new Terminal(node("port-forward", "main.ts", "7777", "--", process.execPath, "-e", idle), {
      cwd: EXAMPLES,
    });
    await both.line(/^up$/);
    both.interrupt();
    await both.exited;
  });

  test("mistakes", async () => {
    const nothing = await run(node("port-forward", "main.ts", "70000", "--", "true"), { cwd: EXAMPLES });
    expect(nothing).toMatchObject({ code: 64, output: expect.stringMatching(/^Usage: /) });
    const unknown = await run(node("port-forward", "main.ts", "7777", "--", "no-such-program"), { cwd: EXAMPLES });
    expect(unknown).toMatchObject({
      code: 127,
      output: expect.stringMatching(/no-such-program cannot be run: .*ENOENT/),
    });
  });
});

describe("listen-server", () => {
  test("the host plays, a friend joins and hears, and both end with the host", async () => {
    const port = await freePort();
    const env = { PORT: String(port) };
    await using host = new Terminal(node("listen-server", "game.ts", "host", "Ada"), { cwd: EXAMPLES, env });
    await host.line(/^In, direct to 127\.0\.0\.1:/);
    await host.line(/^Only players on this network can join/);
    const url = `http://127.0.0.1:${port}`;
    await using friend = new Terminal(node("listen-server", "game.ts", "join", "Ben", url), { cwd: EXAMPLES, env });
    await friend.line(/^In, direct to/);
    friend.type("hello");
    await host.line(/^Ben: hello$/);
    host.interrupt();
    expect(await host.exited).toBe(0);
    await friend.line(/^The game is over\.$/);
    expect(await friend.exited).toBe(0);
    expect(await isFree(port)).toBe(true);
  });

  test("mistakes", async () => {
    expect(await run(node("listen-server", "game.ts", "join", "Ben"), { cwd: EXAMPLES })).toMatchObject({ code: 64 });
    const port = await freePort();
    const nobody = await run(node("listen-server", "game.ts", "join", "Ben", `http://127.0.0.1:${port}`), {
      cwd: EXAMPLES,
    });
    expect(nobody).toMatchObject({ code: 1, output: expect.stringMatching(/Not in: .*Is the host still there\?/) });
    const taken = createServer().listen(port);
    await once(taken, "listening");
    const second = await run(node("listen-server", "game.ts", "host", "Ada"), {
      cwd: EXAMPLES,
      env: { PORT: String(port) },
    });
    expect(second).toMatchObject({
      code: 1,
      output: expect.stringMatching(/Cannot host: .*EADDRINUSE.*variable PORT/),
    });
    taken.close();
  });
});
