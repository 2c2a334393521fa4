/** The real programs in a lab, whose memory can be asked for. */
import { fileURLToPath } from "node:url";
import type { Host, LabProcess } from "../../lab/lab/index.ts";
import type { Memory } from "./memory.ts";

export const GAME_PORT = 7777;
export const LOBBY_PORT = 2567;
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PRELOAD = fileURLToPath(new URL("./memory.ts", import.meta.url));
const MIB = 1 << 20;

export interface JoinResult extends Record<string, unknown> {
  connected: boolean;
  path: string;
  rttMs: { p50: number; p99: number } | null;
  sent: number;
  received: number;
  lost: number;
  reason: string | null;
}

function start(machine: Host, name: string, args: readonly string[], env: Record<string, string> = {}): LabProcess {
  const program = `${ROOT}/examples/lobby/src/${name}.ts`;
  const command = [process.execPath, "--import", PRELOAD, program, ...args];
  return machine.spawn(command, { cwd: ROOT, env: { NO_COLOR: "1", SALLYPORT_VIA: "none", ...env } });
}

export async function startHost(machine: Host, lobby?: string): Promise<LabProcess> {
  const more = lobby === undefined ? [] : ["--lobby", lobby];
  const game = start(machine, "host", ["--port", String(GAME_PORT), "--json", ...more]);
  await game.waitForLine(/"event":"listening"/, 30_000);
  return game;
}

export async function startLobby(machine: Host): Promise<LabProcess> {
  const lobby = start(machine, "lobby", [], { PUBLIC_URL: lobbyUrl(machine) });
  await lobby.waitForPort("tcp", LOBBY_PORT, 30_000);
  return lobby;
}

export const gameUrl = ({ address }: Host): string => `http://${address}:${GAME_PORT}`;
export const lobbyUrl = ({ address }: Host): string => `http://${address}:${LOBBY_PORT}`;

export async function inviteOf(game: LabProcess): Promise<string> {
  const invite = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 30_000);
  return invite.url;
}

/** A bot that plays for so long; `result` is what it says at the end. */
export function join(
  machine: Host,
  target: string,
  seconds: number,
): { player: LabProcess; result: Promise<JoinResult> } {
  const player = start(machine, "join", [target, "--seconds", String(seconds), "--json"]);
  const wait = (seconds + 120) * 1000;
  return { player, result: player.waitForJson<JoinResult>((value) => "connected" in value, wait) };
}

/** What a program holds, after a collection. */
export async function memoryOf(program: LabProcess): Promise<Memory> {
  program.kill("SIGUSR2");
  return await program.waitForJson<Memory>(({ event }) => event === "memory", 60_000);
}

/** Without compiled code. */
export const held = ({ heap, external }: Memory): number => heap + external;
export const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

/** Adds addresses of its network to a machine. */
export async function addressesOf(machine: Host, count: number): Promise<string[]> {
  const more = Array.from({ length: count - 1 }, (_, index) => machine.address.replace(/\d+$/, String(100 + index)));
  const commands = more.map((address) => `address add ${address}/24 dev eth0\n`).join("");
  await machine.exec(["ip", "-batch", "-"], { input: commands });
  return [machine.address, ...more];
}
