// Every kind of home hosting for every other, by invite: the promise that nobody is left without a connection.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canBeDirect, gridTable, HOMES, type Home, machineIn, type GridReport as Report, writeGrid } from "./homes.ts";
import { type Coturn, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const SECRET = "a secret of lobby and coturn";

describeLab("the grid", () => {
  let lab: Lab;
  let coturn: Coturn;
  let lobby: string;
  const hosts = new Map<Home, LabProcess>();
  const invites = new Map<Home, string>();
  const clients = new Map<Home, Host>();
  const results = new Map<string, Report>();

  beforeAll(async () => {
    lab = await Lab.create();
    coturn = await lab.coturn({ secret: SECRET });
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    const lobbyProcess = meeting.spawn([process.execPath, program("lobby")], {
      cwd: ROOT,
      env: {
        PUBLIC_URL: lobby,
        STUN_URLS: coturn.addresses.map((address) => `stun:${address}:3478`).join(","),
        TURN_URLS: `turn:${coturn.address}:3478?transport=udp,turn:${coturn.address}:3478?transport=tcp`,
        TURN_SECRET: SECRET,
      },
    });
    await lobbyProcess.waitForPort("tcp", 2567);
    for (const home of HOMES) {
      const [host, client] = [await machineIn(lab, home), await machineIn(lab, home)];
      clients.set(home, client);
      const game = host.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
        cwd: ROOT,
        env: { SALLYPORT_VIA: "none" },
      });
      hosts.set(home, game);
      const invite = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
      invites.set(home, invite.url);
      // Hosts climb for a moment: the relay is the slowest rung.
      await game.waitForJson<{ event: string; endpoints: { kind: string }[] }>(
        ({ event, endpoints }) => event === "reachability" && endpoints.some(({ kind }) => kind === "relayed"),
        20_000,
      );
    }
  }, 120_000);

  afterAll(async () => {
    for (const game of hosts.values()) game.kill("SIGTERM");
    await Promise.all([...hosts.values()].map(({ exited }) => exited));
    await lab[Symbol.asyncDispose]();
    if (process.env["SALLYPORT_WRITE_DOCS"]) await writeGrid("lobby", gridTable(results));
  });

  test.concurrent.each(HOMES.flatMap((host) => HOMES.map((client) => ({ host, client }))))(
    "host $host, player $client",
    async ({ host, client }) => {
      const player = clients
        .get(client)
        ?.spawn([process.execPath, program("join"), invites.get(host) ?? "", "--seconds", "2", "--json"], {
          cwd: ROOT,
        });
      if (!player) throw new Error("no such home");
      const report = await player.waitForJson<Report>((value) => "connected" in value, 60_000);
      results.set(`${host}|${client}`, report);
      expect(report, player.output.join("\n")).toMatchObject({ connected: true, lost: 0 });
      expect(report.received).toBeGreaterThan(5);
      if (canBeDirect(host, client)) expect(["direct", "punched"]).toContain(report.path);
      else expect(report.path).toBe("relayed");
    },
  );

  test("two players of one house meet on the LAN, though the router does not hairpin", async () => {
    const gateway = await lab.gateway({ nat: "port-restricted" });
    const [first, second] = await Promise.all([gateway.host(), gateway.host()]);
    const game = first.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none" },
    });
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
    const player = second.spawn([process.execPath, program("join"), url, "--seconds", "2", "--json"], { cwd: ROOT });
    const report = await player.waitForJson<Report & { remote: string }>((value) => "connected" in value, 60_000);
    expect(report).toMatchObject({ connected: true, path: "direct", remote: `${first.address}:7777`, lost: 0 });
    game.kill("SIGTERM");
    await game.exited;
  });
});
