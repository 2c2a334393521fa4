// Addresses that stay hidden: a router between the homes sees whether one ever sends the other a packet.
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { hasChromium } from "../interop/page-chromium.ts";
import { type Gateway, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { countBetween } from "./traffic.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

interface Report extends Record<string, unknown> {
  connected: boolean;
  path: string | null;
  remote: string | null;
  reason: string | null;
  lost: number;
}

interface Game {
  process: LabProcess;
  url: string;
  endpoints: { kind: string; address: string }[];
}

const HIDDEN = { SALLYPORT_RELAY_ONLY: "yes" };
const SHOWN = {};

describeLab("relayOnly", () => {
  let lab: Lab;
  let lobby: string;
  let without: string;
  let ours: Gateway;
  let theirs: Gateway;
  let host: Host;
  let player: Host;
  const games: LabProcess[] = [];

  beforeAll(async () => {
    lab = await Lab.create();
    const meeting = await lab.host();
    const [own, other] = [2567, 2568];
    lobby = `http://${meeting.address}:${own}`;
    without = `http://${meeting.address}:${other}`;
    const env = { PUBLIC_URL: lobby, TURN: "own", PORT: String(own) };
    const lobbies = [
      meeting.spawn([process.execPath, program("lobby")], { cwd: ROOT, env }),
      meeting.spawn([process.execPath, program("lobby")], {
        cwd: ROOT,
        env: { PUBLIC_URL: without, PORT: String(other), STUN_PORT: "3479" },
      }),
    ];
    await Promise.all([lobbies[0]?.waitForPort("tcp", own, 60_000), lobbies[1]?.waitForPort("tcp", other, 60_000)]);
    // Everything would be direct: the host's router maps its port.
    ours = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    theirs = await lab.gateway({ nat: "port-restricted" });
    [host, player] = [await ours.host(), await theirs.host()];
  }, 120_000);

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  async function open(env: Record<string, string>, at = lobby): Promise<Game> {
    const game = host.spawn([process.execPath, program("host"), "--lobby", at, "--json"], { cwd: ROOT, env });
    games.push(game);
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 60_000);
    return { process: game, url, endpoints: [] };
  }

  async function relayed(game: Game): Promise<Game> {
    const { endpoints } = await game.process.waitForJson<{ event: string; endpoints: Game["endpoints"] }>(
      (said) => said.event === "reachability" && said.endpoints.some(({ kind }) => kind === "relayed"),
      60_000,
    );
    return { ...game, endpoints };
  }

  async function join(url: string, env: Record<string, string>): Promise<Report> {
    const joining = player.spawn([process.execPath, program("join"), url, "--seconds", "2", "--json"], {
      cwd: ROOT,
      env,
    });
    return await joining.waitForJson<Report>((value) => "connected" in value, 60_000);
  }

  afterEach(async () => {
    await Promise.all(games.splice(0).map((game) => game.stop()));
  });

  test("the player hides: nothing passes between the homes, though the host's port is open", async () => {
    const game = await relayed(await open(SHOWN));
    const count = await countBetween(lab.internet, ours.wanAddress, theirs.wanAddress);
    const hidden = await join(game.url, HIDDEN);
    expect(hidden).toMatchObject({ connected: true, path: "relayed", lost: 0 });
    expect(await count.packets()).toBe(0);
    // The count counts: the same player without it.
    const shown = await join(game.url, SHOWN);
    expect(shown).toMatchObject({ connected: true, path: "direct", lost: 0 });
    expect(await count.packets()).toBeGreaterThan(100);
  });

  test("the host hides: nothing passes, and no endpoint, mapping or answer names its address", async () => {
    const game = await relayed(await open(HIDDEN));
    const count = await countBetween(lab.internet, ours.wanAddress, theirs.wanAddress);
    expect(game.endpoints.map(({ kind }) => kind)).toEqual(["relayed"]);
    const report = await join(game.url, SHOWN);
    expect(report).toMatchObject({ connected: true, path: "relayed", lost: 0 });
    // Both hide: two relayed addresses meet on one server.
    expect(await join(game.url, HIDDEN)).toMatchObject({ connected: true, path: "relayed", lost: 0 });
    expect(await count.packets()).toBe(0);
    expect(await ours.mappings()).toEqual([]);
    expect(game.process.output.join("\n")).not.toContain(ours.wanAddress);
  });

  test.runIf(hasChromium)("a page hides, and so does its host: nothing passes", async () => {
    const game = await relayed(await open(HIDDEN));
    const count = await countBetween(lab.internet, ours.wanAddress, theirs.wanAddress);
    const report = await player.run<{ kind: string; sent: number; echoes: number }>(
      new URL("./modules/browser.ts", import.meta.url),
      { address: player.address, invite: game.url, settings: { relayOnly: true } },
    );
    expect(report.kind).toBe("relayed");
    expect(report.echoes).toBeGreaterThan(report.sent * 0.8);
    expect(await count.packets()).toBe(0);
  });

  test("without a relay both say so at once, and dial nobody", async () => {
    const game = await open(SHOWN, without);
    const count = await countBetween(lab.internet, ours.wanAddress, theirs.wanAddress);
    const begun = performance.now();
    const report = await join(game.url, HIDDEN);
    const ms = performance.now() - begun;
    expect(report).toMatchObject({ connected: false });
    expect(report.reason).toMatch(/no TURN server is known/);
    await game.process.stop();
    const hidden = await open(HIDDEN, without);
    const said = await hidden.process.waitForJson<{ event: string; verdict: string; summary: string }>(
      ({ event, summary }) => event === "reachability" && /TURN/.test(summary),
    );
    expect(said.summary).toMatch(/nobody can join/);
    const refused = await join(hidden.url, SHOWN);
    expect(refused).toMatchObject({ connected: false });
    expect(refused.reason).toMatch(/hides its address, and has no relay/);
    expect(await count.packets()).toBe(0);
    console.info(`no relay: said in ${Math.round(ms)} ms, with the start of the program`);
    expect(ms).toBeLessThan(8000);
  });
});
