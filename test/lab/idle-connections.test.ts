// A host and a lobby with few descriptors, under more idle TCP connections than they could hold: those who play notice nothing.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Host, LabProcess } from "./lab/index.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { IdleArgs, IdleReport } from "./modules/idle-connections.ts";

const PORT = 7777;
const LOBBY_PORT = 2567;
const IDLE_CONNECTIONS = 600;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const IDLE = new URL("./modules/idle-connections.ts", import.meta.url);

interface JoinResult extends Record<string, unknown> {
  connected: boolean;
  path: string;
  connectMs: number;
  rttMs: { p50: number; p99: number } | null;
  lost: number;
  reason: string | null;
}

/** @param descriptors as `ulimit -n` says; default: the system's own limit */
function start(machine: Host, name: string, args: string[], descriptors?: number, env = {}): LabProcess {
  const command = [process.execPath, program(name), ...args];
  const limited = ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh", ...command];
  return machine.spawn(descriptors === undefined ? command : limited, { cwd: ROOT, env: { NO_COLOR: "1", ...env } });
}

const join = (machine: Host, target: string, seconds: number): LabProcess =>
  start(machine, "join", [target, "--seconds", String(seconds), "--json"]);

async function result(player: LabProcess): Promise<JoinResult> {
  const line = await player.waitForJson<JoinResult>((value) => "connected" in value, 90_000);
  await player.exited;
  return line;
}

/** Adds addresses of its network to a machine. */
async function addresses(machine: Host, count: number): Promise<string[]> {
  const more = Array.from({ length: count - 1 }, (_, index) => machine.address.replace(/\d+$/, String(100 + index)));
  await Promise.all(more.map((each) => machine.exec(["ip", "address", "add", `${each}/24`, "dev", "eth0"])));
  return [machine.address, ...more];
}

/** Resolves when the connections have been opened, some of them again. */
async function attack(from: Host, address: string, port: number, sources: number): Promise<LabProcess> {
  const args: IdleArgs = { address, port, connections: IDLE_CONNECTIONS, from: await addresses(from, sources) };
  const attacker = from.spawnModule(IDLE, args);
  await attacker.waitForJson<IdleReport>(({ opened }) => opened >= IDLE_CONNECTIONS, 30_000);
  return attacker;
}

const joined = (game: LabProcess, players: number): Promise<unknown> =>
  game.waitForJson(({ event, players: now }) => event === "joined" && now === players, 30_000);

const descriptorsOf = ({ pid }: LabProcess): number => readdirSync(`/proc/${pid}/fd`).length;

describeLab("600 idle connections", () => {
  test.each([
    { name: "from ten addresses, to a host with 300 descriptors", sources: 10, limit: 300, most: 300 - 64 },
    { name: "from one address, to a host with its system's own limit", sources: 1, limit: undefined, most: 400 },
  ])("$name: nobody is dropped, nothing is lost, new players get in", async ({ sources, limit, most }) => {
    await using lab = await Lab.create();
    // A firm that forwards no UDP: its players come by WebSocket.
    const firm = await lab.gateway({ nat: "port-restricted", blockUdp: true });
    const [home, friend, stranger, worker] = await Promise.all([lab.host(), lab.host(), lab.host(), firm.host()]);
    const url = `http://${home.address}:${PORT}`;
    const game = start(home, "host", ["--port", String(PORT), "--json"], limit);
    await game.waitForLine(/"event":"listening"/);

    const overUdp = join(friend, url, 25);
    await joined(game, 1);
    const overWebSocket = join(worker, url, 20);
    await joined(game, 2);
    const attacker = await attack(stranger, home.address, PORT, sources);
    const late = await Promise.all([result(join(friend, url, 3)), result(join(worker, url, 3))]);
    expect(descriptorsOf(game)).toBeLessThan(most);
    const there = await Promise.all([result(overUdp), result(overWebSocket)]);
    attacker.endInput();
    await attacker.exited;
    const after = await result(join(friend, url, 1));

    expect(game.ended, game.output.join("\n")).toBe(false);
    for (const player of [...there, ...late, after]) {
      expect(player, game.output.join("\n")).toMatchObject({ connected: true, lost: 0, reason: null });
    }
    expect([...there, ...late].map(({ path }) => path)).toEqual(["direct", "websocket", "direct", "websocket"]);
    game.kill("SIGTERM");
    expect((await game.exited).code, game.output.join("\n")).toBe(0);
  });

  test("to a lobby with 300 descriptors: hosts stay registered, players get in by invite, the page answers", async () => {
    await using lab = await Lab.create();
    const firm = await lab.gateway({ nat: "port-restricted" });
    const [meeting, friend, stranger, home] = await Promise.all([lab.host(), lab.host(), lab.host(), firm.host()]);
    const lobby = `http://${meeting.address}:${LOBBY_PORT}`;
    const program = start(meeting, "lobby", [], 300, { PUBLIC_URL: lobby });
    await program.waitForPort("tcp", LOBBY_PORT);
    const game = start(home, "host", ["--port", String(PORT), "--lobby", lobby, "--json"]);
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 30_000);

    const attacker = await attack(stranger, meeting.address, LOBBY_PORT, 10);
    const player = await result(join(friend, url, 10));
    const page = await friend.exec(["curl", "-sS", "--max-time", "10", `${lobby}/games`]);
    expect(descriptorsOf(program)).toBeLessThan(300 - 64);
    attacker.endInput();
    await attacker.exited;

    expect(program.ended, program.output.join("\n")).toBe(false);
    expect(player, game.output.join("\n")).toMatchObject({ connected: true, lost: 0, reason: null });
    expect(JSON.parse(page.stdout)).toMatchObject([{ online: true }]);
    expect(game.stdout).not.toContain('"state":"lost"');
    for (const each of [game, program]) {
      each.kill("SIGTERM");
      expect((await each.exited).code, each.output.join("\n")).toBe(0);
    }
  });
});
