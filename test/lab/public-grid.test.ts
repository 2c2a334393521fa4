// The grid with no lobby and no TURN server: mailboxes, and one further player whose router forwards ports, and who relays.
// All 49 pairs with SALLYPORT_WHOLE_GRID=1, and the table with SALLYPORT_WRITE_DOCS=1; else the hardest ones.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canBeDirect, type GridReport, gridTable, HOMES, type Home, machineIn, writeGrid } from "./homes.ts";
import { type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { startPublicRelays } from "./public-relays.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

const IS_WHOLE = Boolean(process.env["SALLYPORT_WHOLE_GRID"]);
const HARD: readonly (readonly [Home, Home])[] = [
  ["symmetric", "symmetric"],
  ["symmetric", "UDP blocked"],
  ["UDP blocked", "symmetric"],
  ["UDP blocked", "UDP blocked"],
];
const PAIRS = IS_WHOLE ? HOMES.flatMap((host) => HOMES.map((player) => [host, player] as const)) : HARD;

describeLab("the grid without lobby and TURN server", () => {
  let lab: Lab;
  let environment: Record<string, string>;
  let relaying: LabProcess;
  const games = new Map<Home, { process: LabProcess; url: string }>();
  const players = new Map<Home, Host>();
  const results = new Map<string, GridReport>();

  beforeAll(async () => {
    lab = await Lab.create();
    ({ environment } = await startPublicRelays(lab));
    const hosting = [...new Set(PAIRS.map(([host]) => host))];
    await Promise.all(
      hosting.map(async (home) => {
        const [on, player] = await Promise.all([machineIn(lab, home), machineIn(lab, home)]);
        players.set(home, player);
        const game = on.spawn([process.execPath, program("host"), "--lobby", "public", "--json"], {
          cwd: ROOT,
          env: { ...environment, SALLYPORT_VIA: "none" },
        });
        const { url } = await game.waitForJson<{ event: string; url: string }>(
          ({ event }) => event === "invite",
          30_000,
        );
        games.set(home, { process: game, url });
      }),
    );
    const third = await (await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } })).host();
    const invites = hosting.map((home) => games.get(home)?.url ?? "");
    relaying = third.spawnModule(
      new URL("./modules/relaying-player.ts", import.meta.url),
      { invites },
      { env: environment },
    );
    await relaying.waitForJson(({ event }) => event === "ready", 60_000);
    const serving = new Set<unknown>();
    await relaying.waitForJson(({ event, game, allocations }) => {
      if (event === "relaying" && Number(allocations) > 0) serving.add(game);
      return serving.size === invites.length;
    }, 60_000);
  }, 180_000);

  afterAll(async () => {
    const all = [relaying, ...[...games.values()].map(({ process: game }) => game)];
    await Promise.all(all.map((each) => each?.stop()));
    await lab[Symbol.asyncDispose]();
    if (IS_WHOLE && process.env["SALLYPORT_WRITE_DOCS"]) await writeGrid("players", gridTable(results));
  });

  test.concurrent.each(PAIRS)("host %s, player %s", async (host, player) => {
    const joining = players
      .get(player)
      ?.spawn([process.execPath, program("join"), games.get(host)?.url ?? "", "--seconds", "2", "--json"], {
        cwd: ROOT,
        env: environment,
      });
    if (!joining) throw new Error("no such home");
    const report = await joining.waitForJson<GridReport>((value) => "connected" in value, 60_000);
    results.set(`${host}|${player}`, report);
    expect(report, joining.output.join("\n")).toMatchObject({ connected: true, lost: 0 });
    if (canBeDirect(host, player)) expect(["direct", "punched"]).toContain(report.path);
    else expect(report.path).toBe("relayed");
  });
});
