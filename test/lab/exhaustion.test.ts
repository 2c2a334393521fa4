// Programs that have no descriptors left, whoever took them: nothing that they ask of the system ends them, nobody in the game notices,
// and they mend themselves afterwards.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { until } from "../until.ts";
import { type Coturn, type Host, Lab, type LabProcess, type Machine, type UpnpOptions } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const PORT = 7777;
const LOBBY_PORT = 2567;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const EXHAUST = new URL("./modules/exhaust.ts", import.meta.url).href;
/** Interfaces are looked at every 3 s, by two watches. */
const LOOK_MS = 3500;

type Env = Record<string, string>;

/** With SIGUSR2 its descriptors go, and come back. They are few, so that it does not take long. */
function start(machine: Machine, name: string, args: readonly string[], env: Env = {}): LabProcess {
  const command = [process.execPath, "--import", EXHAUST, program(name), ...args];
  return machine.spawn(["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", ...command], { cwd: ROOT, env });
}

async function startLobby(machine: Host, coturn: Coturn): Promise<{ lobby: LabProcess; url: string }> {
  const url = `http://${machine.address}:${LOBBY_PORT}`;
  const lobby = start(machine, "lobby", [], {
    PUBLIC_URL: url,
    STUN_PORT: "0",
    STUN_URLS: `stun:${coturn.address}:3478`,
    TURN_URLS: `turn:${coturn.address}:3478 turn:${coturn.address}:3478?transport=tcp`,
    TURN_USERNAME: "lab",
    TURN_CREDENTIAL: "lab",
  });
  await lobby.waitForPort("tcp", LOBBY_PORT);
  return { lobby, url };
}

const startHost = (machine: Host, lobby: string, env: Env = {}): LabProcess =>
  start(machine, "host", ["--port", String(PORT), "--lobby", lobby, "--json"], { SALLYPORT_LAN: "", ...env });

const join = (machine: Host, target: string, seconds: number): LabProcess =>
  start(machine, "join", [target, "--seconds", String(seconds), "--json"]);

/** In whichever order its lines come. */
async function said(game: LabProcess, what: RegExp): Promise<string> {
  const look = (): string | undefined => what.exec(game.stdout)?.[1];
  return await until(() => (game.ended ? "" : look()), { what: String(what), timeoutMs: 60_000, everyMs: 20 });
}

const result = (player: LabProcess): Promise<Record<string, unknown>> =>
  player.waitForJson((value) => "connected" in value, 90_000);

describeLab("without descriptors", () => {
  test.each<{ name: string; upnp: UpnpOptions }>([
    { name: "UPnP", upnp: { igd: 2, pcp: false, natpmp: false } },
    { name: "PCP", upnp: { igd: false, pcp: true, natpmp: true } },
  ])("a host goes on, loses no player, and maps its port again by $name", async ({ upnp }) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp });
    const [home, friend, meeting, coturn] = await Promise.all([gateway.host(), lab.host(), lab.host(), lab.coturn()]);
    const { lobby, url } = await startLobby(meeting, coturn);
    const game = startHost(home, url, { SALLYPORT_RENEW_INTERVAL_MS: "700" });
    await Promise.all([said(game, /(mapped)","summary/), said(game, /"event":"(invite)/)]);
    const player = join(friend, `http://${gateway.wanAddress}:${PORT}`, 30);
    await said(game, /"event":"(joined)/);

    game.kill("SIGUSR2");
    // All that it watches moves meanwhile: its addresses, its router, its lobby.
    for (let round = 0; round < 3; round++) {
      await home.exec(["ip", "address", "add", `${gateway.lanPrefix}.${200 + round}/24`, "dev", "eth0"]);
      if (round === 1) await Promise.all([gateway.restartUpnp(), lobby.stop()]);
      await sleep(LOOK_MS);
    }
    game.kill("SIGUSR2");
    // It forgets all mappings; who has lost its ears asks it for a sign of life every 30 s.
    await gateway.restartUpnp();
    const isMapped = async (): Promise<boolean> =>
      (await gateway.mappings()).some(({ internalPort, protocol }) => internalPort === PORT && protocol === "udp");
    await until(isMapped, { timeoutMs: 80_000, everyMs: 200 });
    expect(await result(player), game.output.join("\n")).toMatchObject({ connected: true, lost: 0, reason: null });
    expect(game.ended, game.output.join("\n")).toBe(false);
    game.kill("SIGTERM");
    expect((await game.exited).code, game.output.join("\n")).toBe(0);
    expect(await gateway.mappings()).toEqual([]);
  });

  test("a lobby goes on, keeps its hosts, and brings players to them afterwards; so do a host and a player by invite", async () => {
    await using lab = await Lab.create();
    const [first, second] = await Promise.all([lab.gateway(), lab.gateway()]);
    const [home, friend, meeting, coturn] = await Promise.all([first.host(), second.host(), lab.host(), lab.coturn()]);
    const { lobby, url } = await startLobby(meeting, coturn);
    const game = startHost(home, url);
    const invite = await said(game, /"event":"invite","code":"[^"]*","url":"([^"]*)"/);
    const player = join(friend, invite, 25);
    await said(game, /"event":"(joined)/);

    const programs = [lobby, game, player];
    for (const each of programs) each.kill("SIGUSR2");
    // Somebody else asks meanwhile, in vain.
    const stranger = join(coturn, invite, 1);
    await sleep(LOOK_MS);
    await home.exec(["ip", "address", "add", `${first.lanPrefix}.200/24`, "dev", "eth0"]);
    await friend.exec(["ip", "address", "add", `${second.lanPrefix}.200/24`, "dev", "eth0"]);
    await result(stranger);
    await sleep(LOOK_MS);
    for (const each of programs) {
      expect(each.ended, each.output.join("\n")).toBe(false);
      each.kill("SIGUSR2");
    }
    const late = await result(join(coturn, invite, 2));
    expect(late, [...lobby.output, ...game.output].join("\n")).toMatchObject({
      connected: true,
      lost: 0,
      reason: null,
    });
    expect(await result(player), player.output.join("\n")).toMatchObject({ connected: true, lost: 0, reason: null });
    for (const each of [game, lobby]) {
      each.kill("SIGTERM");
      expect((await each.exited).code, each.output.join("\n")).toBe(0);
    }
  });
});
