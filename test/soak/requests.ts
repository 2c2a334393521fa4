/** Hostile HTTP and WebSocket requests to a real host and to a real lobby, with a player in the game. */
import { type Host, Lab, type LabProcess } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { Memory } from "./attack/memory.ts";
import {
  addressesOf,
  GAME_PORT,
  gameUrl,
  held,
  inviteOf,
  join,
  LOBBY_PORT,
  lobbyUrl,
  memoryOf,
  mib,
  startHost,
  startLobby,
} from "./attack/programs.ts";
import type { RequestsArgs, RequestsReport } from "./attack/requests.ts";
import type { SoakResult, SoakSizes } from "./row.ts";

const REQUESTS = new URL("./attack/requests.ts", import.meta.url);
const SOURCES = 32;
/** Nothing of what is compiled and cached once is there at first. */
const WARM_UP = 1_000;
/** A program may hold so much more than before. */
const GROWTH = 20 << 20;
const PLAYS_FOR_S = 3_600;

export async function* soak({ requests }: SoakSizes): AsyncIterable<SoakResult> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(`no NAT lab here: ${missing}`);
  yield await attack("host", requests);
  yield await attack("lobby", requests);
}

async function attack(name: "host" | "lobby", count: number): Promise<SoakResult> {
  await using lab = await Lab.create();
  const [meeting, home, friend, stranger] = await Promise.all([lab.host(), lab.host(), lab.host(), lab.host()]);
  const lobby = await startLobby(meeting);
  const game = await startHost(home, lobbyUrl(meeting));
  const invite = await inviteOf(game);
  const victim = name === "host" ? game : lobby;
  const seed = Date.now() >>> 0;
  const args = {
    ...(name === "host" ? toHost(home) : toLobby(meeting, invite)),
    from: await addressesOf(stranger, SOURCES),
  };
  await ask(stranger, { ...args, count: WARM_UP, seed: seed + 1 });
  const before = await memoryOf(victim);
  const { player, result } = join(friend, gameUrl(home), PLAYS_FOR_S);
  await game.waitForJson(({ event }) => event === "joined", 30_000);

  const { sent, seconds, statuses, seats, faults } = await ask(stranger, { ...args, count, seed });
  const after = await settled(victim, before);
  // By invite: through the lobby and to the host.
  const late = await join(friend, invite, 2).result;
  player.kill("SIGINT");
  const played = await result;
  const growth = held(after) - held(before);
  const complaints = [game, lobby].flatMap(({ output }) => output.filter((line) => /uncaught|unhandled/i.test(line)));
  const wrong = [
    (game.ended || lobby.ended) && "a program has ended",
    complaints.length > 0 && `a program said: ${complaints[0]}`,
    growth > GROWTH && `it holds ${mib(growth)} more`,
    // The last of them may be on its way when the player is asked to end.
    (played.lost > 2 || played.path !== "direct") && `the player: ${JSON.stringify(played)}`,
    (!late.connected || late.lost > 0) && `who came afterwards: ${JSON.stringify(late)}`,
  ].filter((line) => line !== false);
  const answers = Object.entries(statuses)
    .sort(([, a], [, b]) => b - a)
    .map(([status, times]) => `${times} x ${status === "0" ? "closed or left without one" : status}`);
  for (const fault of faults) console.log(`       answered with 500: ${JSON.stringify(fault)}`);
  return {
    what: `hostile HTTP and WebSocket requests to a ${name}`,
    passed: wrong.length === 0 ? sent : 0,
    failed: wrong.length,
    ...(wrong.length > 0 && { detail: `seed ${seed}: ${wrong.join("; ")}` }),
    figures:
      `${sent} from ${SOURCES} addresses in ${seconds.toFixed(0)} s, ${seats} of them with a seat; answers ${answers.join(", ")}; held ` +
      `${mib(held(before))} before, ${mib(held(after))} after; log ${(victim.outputBytes / 1000).toFixed(0)} kB; the player's p99 ` +
      `${played.rttMs?.p99 ?? "–"} ms`,
  };
}

async function ask(stranger: Host, args: RequestsArgs): Promise<RequestsReport> {
  const asking = stranger.spawnModule(REQUESTS, args);
  return await asking.waitForJson<RequestsReport>(({ event }) => event === "asked", 3_600_000);
}

/** What seats and connections hold goes within their timeouts. */
async function settled(victim: LabProcess, before: Memory): Promise<Memory> {
  const until = performance.now() + 60_000;
  for (;;) {
    const now = await memoryOf(victim);
    if (held(now) - held(before) <= GROWTH || performance.now() > until) return now;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  }
}

const toHost = ({ address }: Host): Pick<RequestsArgs, "address" | "port" | "seat"> => ({
  address,
  port: GAME_PORT,
  seat: { path: "/matchmake/joinOrCreate/arena", body: { name: "x" } },
});

/** As somebody who has the code. */
const toLobby = ({ address }: Host, invite: string): Pick<RequestsArgs, "address" | "port" | "seat"> => {
  const [code] = new URL(invite).hash.slice(1).split(".");
  return { address, port: LOBBY_PORT, seat: { path: "/matchmake/join/rendezvous", body: { invite: code } } };
};
