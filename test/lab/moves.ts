/** A player whose router gets another address in mid-game, three times: for the lab's test, and for the benchmark. */
import { fileURLToPath } from "node:url";
import { until } from "../until.ts";
import { Lab, type LabProcess } from "./lab/index.ts";
import type { MoverArgs, MoverReport } from "./modules/mover.ts";

const MOVER = new URL("./modules/mover.ts", import.meta.url);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const PORT = 7777;
const MOVES = 3;
/** Answers between two moves, at 50 a second. */
const ANSWERS = 50;

export interface Moves {
  /** Reliable questions, and answers to them. */
  sent: number;
  answered: number;
  inOrder: boolean;
  /** The longest time without an answer, for each move. */
  longestMs: number[];
  /** Before, and after. */
  paths: [string, string];
}

async function report(player: LabProcess): Promise<MoverReport> {
  player.write("report\n");
  return await player.waitForJson<MoverReport>(({ event }) => event === "report");
}

/** Until so many more were answered. @returns the longest time without an answer meanwhile, ms */
async function play(player: LabProcess): Promise<number> {
  const { answered: before } = await report(player);
  let longest = 0;
  const what = `${ANSWERS} answers more`;
  await until(
    async () => {
      const { answered, longestMs } = await report(player);
      longest = Math.max(longest, longestMs);
      return answered >= before + ANSWERS;
    },
    { what, everyMs: 50 },
  );
  return longest;
}

/** @param by how the player came in: by the host's address, or by an invite, over ICE */
export async function measureMoves(by: "address" | "invite"): Promise<Moves> {
  await using lab = await Lab.create();
  const gatewayOptions = { nat: "port-restricted" } as const;
  const [meeting, machine, gateway] = await Promise.all([lab.host(), lab.host(), lab.gateway(gatewayOptions)]);
  const home = await gateway.host();
  const lobby = `http://${meeting.address}:2567`;
  const env = { NO_COLOR: "1", SALLYPORT_VIA: "none", SALLYPORT_LAN: "none" };
  const lobbyProcess = meeting.spawn([process.execPath, program("lobby")], {
    cwd: ROOT,
    env: { ...env, PUBLIC_URL: lobby, STUN_URLS: `stun:${meeting.address}:3478` },
  });
  await lobbyProcess.waitForPort("tcp", 2567);
  const game = machine.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], { cwd: ROOT, env });
  const { url: invite } = await game.waitForJson<{ event: string; url: string }>(
    ({ event }) => event === "invite",
    20_000,
  );
  const where: MoverArgs = by === "invite" ? { invite } : { url: `http://${machine.address}:${PORT}` };
  const player = home.spawnModule(MOVER, where, { env });
  await player.waitForJson(({ event }) => event === "joined", 30_000);
  await play(player);
  const { path: before } = await report(player);

  const longestMs: number[] = [];
  for (let move = 0; move < MOVES; move++) {
    await gateway.setWanAddress();
    longestMs.push(await play(player));
  }
  player.write("stop\n");
  const last = await until(
    async () => {
      const now = await report(player);
      return now.sent === now.answered ? now : undefined;
    },
    { what: "all is answered", everyMs: 50 },
  );
  game.kill("SIGTERM");
  await game.exited;
  const { sent, answered, inOrder, path } = last;
  return { sent, answered, inOrder, longestMs, paths: [before, path] };
}
