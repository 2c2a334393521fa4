// A hosted game and the players of its own house: without lobby, without internet, and with routers that do not hairpin.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { FoundGame } from "../../sdk/src/colyseus/client/found-game.ts";
import { Lab, type LabProcess, type Machine } from "./lab/index.ts";
import { nft, shell } from "./lab/netns.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GAMES = new URL("modules/lan-games.ts", import.meta.url);
const APPLICATION = "sallyport-arena";
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

function host(machine: Machine, argv: readonly string[] = [], env: Record<string, string> = {}): LabProcess {
  return machine.spawn([process.execPath, program("host"), "--json", ...argv], {
    cwd: ROOT,
    env: { SALLYPORT_VIA: "none", ...env },
  });
}

const said = (game: LabProcess): Promise<{ event: string; addresses: string[]; problem: string }> =>
  game.waitForJson<{ event: string; addresses: string[]; problem: string }>(({ event }) => event === "lan", 15_000);

async function join(machine: Machine, goal: string): Promise<Record<string, unknown>> {
  const player = machine.spawn([process.execPath, program("join"), goal, "--seconds", "1", "--json"], { cwd: ROOT });
  return await player.waitForJson((value) => "connected" in value, 30_000);
}

const look = (machine: Machine): Promise<FoundGame[]> =>
  machine.run<FoundGame[]>(GAMES, { application: APPLICATION, timeoutMs: 1500 });

async function end(game: LabProcess): Promise<void> {
  game.kill("SIGTERM");
  expect((await game.exited).code, game.output.join("\n")).toBe(0);
}

async function rule(machine: Machine, hook: "input" | "output", statement: string): Promise<void> {
  const chain = `type filter hook ${hook} priority -1\n${statement}`;
  await shell(nft(`table inet test {\nchain ${hook} {\n${chain}\n}\n}`), machine.namespace);
}

/** How many datagrams to the announcements' port leave this machine; those within it do not count. */
async function countAnnouncements(machine: Machine): Promise<() => Promise<number>> {
  await rule(machine, "output", `oifname != "lo" udp dport 28772 counter`);
  return async () => {
    const rules = await shell("nft list table inet test", machine.namespace);
    return Number(/packets (\d+)/.exec(rules)?.[1]);
  };
}

describeLab("a game on the local network", () => {
  test("is found and played without internet or lobby; two on one machine are two; who has ended is listed no more", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const next = await lab.gateway();
    const [home, player, neighbour, outside] = await Promise.all([
      gateway.host(),
      gateway.host(),
      next.host(),
      lab.host(),
    ]);
    await gateway.unplug();
    const first = host(home, ["--name", "One", "--port", "7777"]);
    const second = host(home, ["--name", "Two\u001b[31m", "--port", "7778"]);
    for (const game of [first, second]) {
      expect(await said(game)).toMatchObject({ addresses: [home.address], problem: "" });
    }

    const report = await join(player, "lan");
    expect(report).toMatchObject({ connected: true, path: "direct", lost: 0, reason: null });
    expect([`${home.address}:7777`, `${home.address}:7778`]).toContain(report["remote"]);
    const games = await look(player);
    expect(games.map(({ description, url }) => `${description} ${url}`).sort()).toEqual([
      `One http://${home.address}:7777`,
      `Two [31m http://${home.address}:7778`,
    ]);
    expect(games[0]).toMatchObject({ players: 0, maxPlayers: 32 });

    await gateway.replug();
    for (const machine of [neighbour, outside, gateway]) {
      const seen = await look(machine);
      // The router itself stands in the house, everybody behind its other side does not.
      expect(seen).toHaveLength(machine === gateway ? 2 : 0);
    }

    await end(first);
    expect((await look(player)).map(({ description }) => description)).toEqual(["Two [31m"]);
    // On its own machine, by whatever address.
    expect(await join(home, "lan")).toMatchObject({ connected: true, path: "direct" });
    await end(second);
    expect(await look(player)).toEqual([]);
  });

  test("whoever switches it off is not found, and has no socket for it", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const [home, player] = await Promise.all([gateway.host(), gateway.host()]);
    const count = await countAnnouncements(home);
    for (const env of [{}, { SALLYPORT_LAN: "none" }]) {
      const isOn = !("SALLYPORT_LAN" in env);
      const game = host(home, [], env);
      if (isOn) await said(game);
      else await game.waitForJson(({ event }) => event === "reachability", 15_000);
      const { stdout } = await home.exec(["ss", "-Huln", "sport = :28772"]);
      expect(stdout !== "").toBe(isOn);
      const before = await count();
      expect(await look(player)).toHaveLength(isOn ? 1 : 0);
      await end(game);
      expect((await count()) > before).toBe(isOn);
    }
  });

  test("a rented server sends nothing and answers nobody", async () => {
    await using lab = await Lab.create({ ipv6: true });
    const [server, other] = await Promise.all([lab.host(), lab.host()]);
    const count = await countAnnouncements(server);
    const game = host(server);
    expect(await said(game)).toMatchObject({
      addresses: [],
      problem: "No network interface leads to a local network.",
    });
    expect(await look(other)).toEqual([]);
    // A question that somebody sends straight to it.
    const query = Buffer.alloc(256);
    query.write("SPLN\u0001\u0001\u000fsallyport-arena", "latin1");
    const ask = `const s = require("node:dgram").createSocket("udp4"); s.on("message", () => process.exit(1));
      s.send(Buffer.from("${query.toString("hex")}", "hex"), 28772, "${server.address}", () => setTimeout(() => process.exit(0), 500));`;
    expect(await other.exec([process.execPath, "-e", ask])).toMatchObject({ code: 0, output: "" });
    await end(game);
    expect(await count()).toBe(0);
  });

  test("a firewall, or another program on the port, is no reason to fail", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const [walled, deaf, player] = await Promise.all([gateway.host(), gateway.host(), gateway.host()]);
    await rule(walled, "output", "udp dport 28772 drop\nudp sport 28772 drop");
    const first = host(walled);
    expect(await first.waitForJson(({ event, problem }) => event === "lan" && problem !== "", 15_000)).toMatchObject({
      addresses: [],
      problem: `Nothing can be sent from ${walled.address}: this machine's firewall forbids it (EPERM).`,
    });
    expect(await look(player)).toEqual([]);

    const taken = deaf.spawn([
      process.execPath,
      "-e",
      `require("node:dgram").createSocket("udp4").bind(28772, () => console.log("{}"));`,
    ]);
    await taken.waitForJson(() => true);
    // It is heard all the same by who is there when it begins.
    const waiting = player.run<FoundGame[]>(GAMES, { application: APPLICATION, timeoutMs: 20_000, first: true });
    const second = host(deaf);
    await second.waitForJson(({ event }) => event === "reachability", 15_000);
    expect(await waiting).toMatchObject([{ url: `http://${deaf.address}:7777` }]);
    for (const machine of [walled, deaf]) {
      expect(await join(player, `http://${machine.address}:7777`)).toMatchObject({ connected: true, path: "direct" });
    }
    await end(first);
    await end(second);
  });
});

describeLab("a friend in the host's own house who was given the public address", () => {
  test.each([
    { router: "refuses", drops: false },
    { router: "is silent", drops: true },
  ])("gets in where the router does not hairpin, but $router", async ({ drops }) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const [home, friend, stranger] = await Promise.all([gateway.host(), gateway.host(), lab.host()]);
    if (drops) await rule(gateway, "input", `iifname "lan" ip daddr ${gateway.wanAddress} tcp dport 7777 drop`);
    const game = host(home, [], { SALLYPORT_VIA: "upnp" });
    await game.waitForJson(({ event, verdict }) => event === "reachability" && verdict === "mapped", 15_000);
    const url = `http://${gateway.wanAddress}:7777`;
    expect(await join(stranger, url)).toMatchObject({ path: "direct", remote: `${gateway.wanAddress}:7777` });
    expect(await join(friend, url)).toMatchObject({
      connected: true,
      path: "direct",
      remote: `${home.address}:7777`,
      pathReason: expect.stringMatching(/^UDP gets through; .* does not answer from inside its own network/),
      lost: 0,
    });
    // The number that a neighbour's port has, and nobody's.
    expect(await join(friend, `http://${gateway.wanAddress}:7001`)).toMatchObject({
      connected: false,
      reason: expect.stringMatching(/^The host does not answer: http:.*:7001 \(E\w+\)/),
    });
    await end(game);
  });
});
