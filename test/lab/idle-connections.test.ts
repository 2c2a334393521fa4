// A host with few descriptors, under more idle TCP connections than it could hold: those who play notice nothing.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Host, LabProcess } from "./lab/index.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { IdleArgs, IdleReport } from "./modules/idle-connections.ts";

const PORT = 7777;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const IDLE = new URL("./modules/idle-connections.ts", import.meta.url);

interface JoinResult extends Record<string, unknown> {
  connected: boolean;
  path: string;
  connectMs: number;
  rttMs: { p50: number; p99: number } | null;
  sent: number;
  received: number;
  lost: number;
  reason: string | null;
}

function host(machine: Host, descriptors?: number): LabProcess {
  const command = [process.execPath, program("host"), "--port", String(PORT), "--json"];
  const limited = ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh", ...command];
  return machine.spawn(descriptors === undefined ? command : limited, { cwd: ROOT, env: { NO_COLOR: "1" } });
}

function join(machine: Host, seconds: number, address: string): LabProcess {
  const url = `http://${address}:${PORT}`;
  return machine.spawn([process.execPath, program("join"), url, "--seconds", String(seconds), "--json"], { cwd: ROOT });
}

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

const joined = (game: LabProcess, players: number): Promise<unknown> =>
  game.waitForJson(({ event, players: now }) => event === "joined" && now === players, 30_000);

describeLab("600 idle connections", () => {
  test.each([
    { name: "from ten addresses, to a host with 300 descriptors", from: 10, descriptors: 300 },
    { name: "from one address, to a host with its system's own limit", from: 1, descriptors: undefined },
  ])("$name: nobody is dropped, nothing is lost, new players get in", async ({ from, descriptors }) => {
    await using lab = await Lab.create();
    // A firm that forwards no UDP: its players come by WebSocket.
    const firm = await lab.gateway({ nat: "port-restricted", blockUdp: true });
    const [home, friend, stranger, worker] = await Promise.all([lab.host(), lab.host(), lab.host(), firm.host()]);
    const game = host(home, descriptors);
    await game.waitForLine(/"event":"listening"/);
    const calm = await result(join(friend, 5, home.address));
    expect(calm).toMatchObject({ connected: true, path: "direct", lost: 0 });

    const overUdp = join(friend, 30, home.address);
    await joined(game, 1);
    const overWebSocket = join(worker, 25, home.address);
    await joined(game, 2);
    const attack = stranger.spawnModule(IDLE, {
      address: home.address,
      port: PORT,
      connections: 600,
      from: await addresses(stranger, from),
    } satisfies IdleArgs);
    await attack.waitForJson<IdleReport>(({ opened }) => opened >= 600);
    const during = await Promise.all([result(join(friend, 5, home.address)), result(join(worker, 3, home.address))]);
    const attacked = await Promise.all([result(overUdp), result(overWebSocket)]);
    attack.endInput();
    await attack.exited;
    const after = await result(join(friend, 2, home.address));
    console.log({ calm, during, attacked, after, attack: attack.output.at(-1), host: game.output.slice(-5) });

    expect(game.ended, game.output.join("\n")).toBe(false);
    for (const player of [...during, ...attacked, after]) {
      expect(player, game.output.join("\n")).toMatchObject({ connected: true, lost: 0, reason: null });
    }
    expect(attacked.map(({ path }) => path)).toEqual(["direct", "websocket"]);
    game.kill("SIGTERM");
    expect((await game.exited).code, game.output.join("\n")).toBe(0);
  });
});
