// `npm start` as a newcomer has it, on a machine without any router: two commands, a page, a second terminal that joins.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describeLab("npm start without a router", () => {
  test("the page answers, the summary says what was tried, a second terminal joins, Ctrl-C ends it", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: false });
    const machine = await gateway.host();
    await gateway.unplug();
    const state = await mkdtemp(join(tmpdir(), "sallyport-start-"));
    const env = { XDG_STATE_HOME: state, NO_COLOR: "1" };
    const start = machine.spawn(["npm", "start"], { cwd: ROOT, env });
    await start.waitForLine(/lan-only: Only players on this network can join/, 40_000);
    await start.waitForLine(/npm run join/, 20_000);

    const page = await machine.exec(["curl", "-sS", "http://127.0.0.1:2567/"]);
    expect(page.stdout).toMatch(/<html/i);
    const games = await machine.exec(["curl", "-sS", "http://127.0.0.1:2567/games"]);
    expect(JSON.parse(games.stdout)).toHaveLength(1);

    const joined = await machine.exec(
      ["npm", "run", "--silent", "join", "--", "http://127.0.0.1:7777", "--seconds", "1", "--json"],
      {
        cwd: ROOT,
        env,
        timeoutMs: 60_000,
      },
    );
    const report = JSON.parse(joined.stdout.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
    expect(report, joined.output).toMatchObject({ connected: true, path: "direct", lost: 0 });
    expect(joined.code).toBe(0);

    const text = start.output.join("\n");
    for (const step of ["interfaces", "pcp", "nat-pmp", "upnp", "stun"]) expect(text).toContain(step);
    start.kill("SIGINT");
    await start.exited;
    expect((await machine.exec(["curl", "-sS", "--max-time", "2", "http://127.0.0.1:2567/"])).code).not.toBe(0);
    await rm(state, { recursive: true });
  });
});
