// What `npm create sallyport` makes, in two real homes: the host behind one router, the friend behind another.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { startPublicRelays } from "./public-relays.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LOBBY = join(ROOT, "examples/lobby/src/lobby.ts");
const HOST = join(ROOT, "examples/lobby/src/host.ts");

describeLab("a newcomer's game behind a home router", () => {
  test("with public relays: by the code that it prints a friend comes in from another home, and with the page's link a browser", async () => {
    await using lab = await Lab.create();
    const scratch = await mkdtemp(join(ROOT, "test/lab/.template-"));
    await using _ = { [Symbol.asyncDispose]: () => rm(scratch, { recursive: true, force: true }) };
    const [home, elsewhere] = [
      await lab.gateway({ nat: "port-restricted" }),
      await lab.gateway({ nat: "port-restricted" }),
    ];
    const [machine, friend, site] = [await home.host(), await elsewhere.host(), await lab.host()];
    const { environment } = await startPublicRelays(lab);
    const create = join(ROOT, "server-template/bin/create-sallyport.js");
    const argv = ["my-game", "--yes", "--no-install", "--no-git"];
    const created = await site.exec([process.execPath, create, ...argv], { cwd: scratch });
    expect(created.code, created.output).toBe(0);
    const game = join(scratch, "my-game");
    // The lab has relays of its own: as somebody sets them who has such. LOBBY_URL=public stands in .env.
    const env = { ...environment, XDG_STATE_HOME: join(scratch, "state"), NO_COLOR: "1", SALLYPORT_VIA: "none" };
    const pageUrl = `http://${site.address}:8000/`;
    const built = await site.exec(["npm", "run", "build:page"], { cwd: game, env });
    expect(built.code, built.output).toBe(0);
    site.spawnModule(new URL("./modules/static-host.ts", import.meta.url), {
      folder: join(game, "dist-page"),
      port: 8000,
    });
    const server = machine.spawn(["npm", "run", "dev"], { cwd: game, env: { ...env, PAGE_URL: pageUrl } });
    const began = performance.now();
    await server.waitForLine(/^Public relays bring friends to you/, 30_000);
    const line = await server.waitForLine(/^Invite your friends: /, 30_000);
    const [, code = "", link = ""] = /: ([2-9A-Z-]{14}) +(http:\S+)$/.exec(line) ?? [];
    const invitedMs = performance.now() - began;
    expect(link).toMatch(new RegExp(`^${pageUrl}#`));

    const asked = performance.now();
    const played = await friend.exec(["npm", "run", "play", "--", code, "--seconds", "1"], {
      cwd: game,
      env,
      timeoutMs: 30_000,
    });
    expect(played.output).toMatch(new RegExp(`In, punched to ${home.wanAddress}:2567`));
    const playedMs = performance.now() - asked;
    const page = new URL("./modules/template-page.ts", import.meta.url);
    const inPage = await friend.run<{ players: number; ms: number }>(page, { link }, { timeoutMs: 60_000 });
    expect(inPage.players).toBe(1);
    console.info(
      [
        `npm run dev: an invite after ${Math.round(invitedMs)} ms`,
        `npm run play by code, with a second of play: ${Math.round(playedMs)} ms`,
        `in the page ${inPage.ms} ms after the link was opened`,
      ].join("; "),
    );
    server.kill("SIGINT");
    await server.exited;
  });

  test("the invite that it prints brings a friend in from another home, the network itself a flatmate; Ctrl-C gives the port back", async () => {
    await using lab = await Lab.create();
    // Within the workspace, so that its packages are found without a registry.
    const scratch = await mkdtemp(join(ROOT, "test/lab/.template-"));
    await using _ = { [Symbol.asyncDispose]: () => rm(scratch, { recursive: true, force: true }) };
    const [home, elsewhere] = [await lab.gateway({ upnp: { igd: 2 } }), await lab.gateway({ nat: "port-restricted" })];
    const [machine, flatmate] = [await home.host(), await home.host()];
    const [friend, site] = [await elsewhere.host(), await lab.host()];
    const create = join(ROOT, "server-template/bin/create-sallyport.js");
    const created = await site.exec(
      [process.execPath, create, "my-game", "--yes", "--no-install", "--no-git", "--no-public"],
      {
        cwd: scratch,
      },
    );
    expect(created.code, created.output).toBe(0);
    const game = join(scratch, "my-game");

    const lobbyUrl = `http://${site.address}:2567`;
    const lobby = site.spawn([process.execPath, LOBBY], { env: { PUBLIC_URL: lobbyUrl, NO_COLOR: "1" }, cwd: ROOT });
    await lobby.waitForLine(/Lobby at/, 20_000);
    const env = { XDG_STATE_HOME: join(scratch, "state"), LOBBY_URL: lobbyUrl, GAME_NAME: "First game", NO_COLOR: "1" };
    const server = machine.spawn(["npm", "start"], { cwd: game, env });
    // In whatever order: the lobby may answer before the router.
    const said: string[] = [];
    await server.waitForLine((line) => {
      said.push(line);
      const text = said.join("\n");
      return text.includes(`The address is ${home.wanAddress}:2567`) && text.includes("Invite your friends: ");
    }, 30_000);
    const invite = /Invite your friends: .*(http:\S+)/.exec(said.join("\n"))?.[1] ?? "";
    await expect.poll(() => home.mappings()).toHaveLength(3); // UDP and TCP, and browsers' UDP

    expect(said.join("\n")).toContain(`On this network: http://${machine.address}:2567`);
    for (const [player, goal, where] of [
      [friend, invite, home.wanAddress],
      [flatmate, "lan", machine.address],
    ] as const) {
      const command = ["npm", "run", "play", "--", goal, "--seconds", "1"];
      const played = await player.exec(command, { cwd: game, timeoutMs: 30_000 });
      expect(played.output).toContain(`In, direct to ${where}:2567`);
      expect(played.code).toBe(0);
    }

    server.kill("SIGINT");
    await server.exited;
    expect(await home.mappings()).toEqual([]);
  });

  test("the host's own page shows the rung on which it stands, and to nobody but the host", async () => {
    await using lab = await Lab.create();
    const home = await lab.gateway({ upnp: { igd: 1 } });
    const [machine, stranger] = [await home.host(), await lab.host()];
    const env = { XDG_STATE_HOME: `/tmp/${lab.prefix}-panel`, NO_COLOR: "1" };
    await using _ = { [Symbol.asyncDispose]: () => rm(env.XDG_STATE_HOME, { recursive: true, force: true }) };
    const host = machine.spawn([process.execPath, HOST], { cwd: ROOT, env });
    const page = /http:\S+/.exec(await host.waitForLine(/^Your page/, 30_000))?.[0] ?? "";
    await host.waitForLine(/^mapped: Your router forwards port/, 30_000);
    // As a browser does: the link sets a cookie, and leads on.
    const events = page.replace("/host?", "/host/events?");
    const told = await machine.exec(["curl", "-sS", "-L", "-b", "", "--max-time", "2", events]);
    const event = told.stdout.split("\n").find((line) => line.includes('"event":"reachability"')) ?? "";
    const reachability = JSON.parse(event.replace(/^data: /, "")) as Record<string, unknown>;
    expect(reachability).toMatchObject({
      verdict: "mapped",
      steps: expect.arrayContaining([expect.objectContaining({ step: "upnp", outcome: "ok" })]),
    });
    const asked = await stranger.exec([
      "curl",
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      `http://${home.wanAddress}:7777/host`,
    ]);
    expect(asked.stdout.trim()).toBe("404");
    host.kill("SIGINT");
    await host.exited;
  });
});
