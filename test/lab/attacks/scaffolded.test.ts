// The same strangers at a game as `npm create sallyport` makes it: the template has the SDK's limits without a line about them.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { eventOf } from "../forgery.ts";
import { Lab } from "../lab/index.ts";
import { describeLab } from "../lab/vitest.ts";
import type { Hoard, HoarderArgs } from "../modules/hoarder.ts";
import type { Memory } from "../modules/memory-probe.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const module = (name: string): URL => new URL(`../modules/${name}.ts`, import.meta.url);
const MB = 2 ** 20;

describeLab("a scaffolded game", () => {
  test("strangers take their share of seats, tokens and offers; who plays stays in over UDP, and memory is given back", async () => {
    await using lab = await Lab.create();
    // Within the workspace, so that its packages are found without a registry.
    const scratch = await mkdtemp(join(ROOT, "test/lab/.template-"));
    await using _ = { [Symbol.asyncDispose]: () => rm(scratch, { recursive: true, force: true }) };
    const [machine, friends] = [await lab.host(), await lab.host()];
    const create = join(ROOT, "server-template/bin/create-sallyport.js");
    const argv = [create, "my-game", "--yes", "--no-install", "--no-git", "--no-public"];
    const created = await machine.exec([process.execPath, ...argv], { cwd: scratch });
    expect(created.code, created.output).toBe(0);
    const game = join(scratch, "my-game");
    const env = { XDG_STATE_HOME: join(scratch, "state"), NO_COLOR: "1", SALLYPORT_VIA: "none", SALLYPORT_LAN: "none" };
    // As `npm start` does, but for the probe.
    const server = machine.spawn([process.execPath, "--import", module("memory-probe").href, "src/index.ts"], {
      cwd: game,
      env: { ...env, NODE_ENV: "production" },
    });
    await server.waitForPort("tcp", 2567);
    const url = `http://${machine.address}:2567`;
    const memory = async (): Promise<number> => {
      server.write("memory\n");
      const { heapUsed, external } = (await eventOf(server, "memory")) as unknown as Memory;
      return heapUsed + external;
    };
    const play = ["npm", "run", "play", "--", url, "--seconds"];
    const player = friends.spawn([...play, "90"], { cwd: game, env });
    await player.waitForLine(/^In, direct to /, 30_000);
    const before = await memory();

    const hoard = async (args: Omit<HoarderArgs, "url">): Promise<Hoard & AsyncDisposable> => {
      const stranger = (await lab.host()).spawnModule(module("hoarder"), { url, ...args } satisfies HoarderArgs);
      const taken = (await eventOf(stranger, "done", 120_000)) as unknown as Hoard;
      return { ...taken, [Symbol.asyncDispose]: async () => void (await stranger.stop()) };
    };
    const [rooms, tokens, offers] = await Promise.all([
      hoard({ what: "create", count: 1000 }),
      hoard({ what: "tokens", count: 1000 }),
      hoard({ what: "offers", count: 100 }),
    ]);
    // The template leaves `create` out of what clients may ask.
    expect(rooms.statuses["200"]).toBeUndefined();
    expect(tokens.statuses["200"]).toBeLessThanOrEqual(4 + Math.ceil(tokens.seconds / 2));
    expect(offers.statuses["200"] ?? 0).toBeLessThanOrEqual(96);

    const friend = await friends.exec([...play, "1"], { cwd: game, env, timeoutMs: 60_000 });
    expect(friend.output).toMatch(/^In, direct to /m);
    for (const each of [rooms, tokens, offers]) await each[Symbol.asyncDispose]();
    expect((await memory()) - before).toBeLessThan(20 * MB);
    expect(server.ended).toBe(false);
    player.kill("SIGINT");
    await player.exited;
    const said = player.output.join("\n");
    expect(said).toContain("Interrupted.");
    expect(said).not.toMatch(/Now |The server ended/);
  });
});
