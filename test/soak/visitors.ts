/** A host whose players come and go: neither its heap nor its log grows, and who stays notices nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { Lab } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { Memory } from "./attack/memory.ts";
import {
  GAME_PORT,
  gameUrl,
  held,
  inviteOf,
  join,
  lobbyUrl,
  memoryOf,
  mib,
  startHost,
  startLobby,
} from "./attack/programs.ts";
import type { VisitorsArgs, VisitorsReport } from "./attack/visitors.ts";
import type { SoakResult, SoakSizes } from "./row.ts";

const PER_MINUTE = 20;
const VISITORS = new URL("./attack/visitors.ts", import.meta.url);
/** The heap may be so much larger in the last quarter of the time than in the second, bytes. */
const GROWTH = 1 << 20;
const LOG_BYTES = 1_000_000;
/** The last visitors have left so long after the last has come, and the host has given up those that vanished. */
const LEFT_MS = 60_000;

export async function* soak({ minutes }: SoakSizes): AsyncIterable<SoakResult> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(`no NAT lab here: ${missing}`);
  await using lab = await Lab.create();
  const [meeting, home, friend, visitor] = await Promise.all([lab.host(), lab.host(), lab.host(), lab.host()]);
  const lobby = await startLobby(meeting);
  const game = await startHost(home, lobbyUrl(meeting));
  const invite = await inviteOf(game);
  const { result } = join(friend, gameUrl(home), minutes * 60 + LEFT_MS / 1000);
  await game.waitForJson(({ event, players }) => event === "joined" && players === 1, 30_000);

  const args: VisitorsArgs = { url: `http://${home.address}:${GAME_PORT}`, invite, perMinute: PER_MINUTE, minutes };
  const visitors = visitor.spawnModule(VISITORS, args);
  const samples: { host: Memory; lobby: Memory }[] = [];
  for (let minute = 0; minute < minutes && !game.ended; minute++) {
    await sleep(60_000);
    samples.push({ host: await memoryOf(game), lobby: await memoryOf(lobby) });
    const [now] = samples.slice(-1);
    if (now)
      console.log(
        `       minute ${minute + 1}: host ${mib(held(now.host))}, code ${mib(now.host.code)}; lobby ${mib(held(now.lobby))}`,
      );
  }
  const came = await visitors.waitForJson<VisitorsReport>(({ event }) => event === "visited", 180_000);
  const stayed = await result;
  const last = await memoryOf(game);
  yield judge({ minutes, samples, came, stayed, last, logBytes: game.outputBytes, ended: game.ended });
}

interface Seen {
  minutes: number;
  samples: readonly { host: Memory; lobby: Memory }[];
  came: VisitorsReport;
  stayed: { lost: number; connected: boolean; reason: string | null; sent: number; rttMs: { p99: number } | null };
  last: Memory;
  logBytes: number;
  ended: boolean;
}

function judge({ minutes, samples, came, stayed, last, logBytes, ended }: Seen): SoakResult {
  /** The median of a quarter of the time. */
  const quarter = (from: number, of: "host" | "lobby", what: (memory: Memory) => number = held): number => {
    const part = samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * (from + 0.25)));
    const values = part.map((sample) => what(sample[of])).sort((a, b) => a - b);
    return values[values.length >> 1] ?? Number.NaN;
  };
  const code = ({ code }: Memory): number => code;
  const growth = quarter(0.75, "host") - quarter(0.25, "host");
  const lobbyGrowth = quarter(0.75, "lobby") - quarter(0.25, "lobby");
  const rss = samples.map(({ host }) => host.rss);
  const wrong = [
    ended && "the host has ended",
    growth > GROWTH && `the host's heap grew by ${mib(growth)}`,
    lobbyGrowth > GROWTH && `the lobby's heap grew by ${mib(lobbyGrowth)}`,
    logBytes >= LOG_BYTES && `${logBytes} bytes of log`,
    (!stayed.connected || stayed.lost > 0 || stayed.reason !== null) && `who stayed: ${JSON.stringify(stayed)}`,
    came.refused > 0 && `${came.refused} did not get in: ${JSON.stringify(came.reasons)}`,
  ].filter((line) => line !== false);
  const kinds = Object.entries(came.paths).map(([path, count]) => `${count} ${path}`);
  return {
    what: `${PER_MINUTE} players come and go each minute`,
    passed: came.inside,
    failed: wrong.length,
    ...(wrong.length > 0 && { detail: wrong.join("; ") }),
    figures:
      `${minutes} minutes, ${came.inside} joins (${kinds.join(", ")}), ${came.vanished} of them left without a word: heap ` +
      `${mib(quarter(0.25, "host"))} in the second quarter, ${mib(quarter(0.75, "host"))} in the last; lobby ` +
      `${mib(quarter(0.25, "lobby"))}, ${mib(quarter(0.75, "lobby"))}; compiled code of the host beside it ` +
      `${mib(quarter(0.25, "host", code))}, ${mib(quarter(0.75, "host", code))}; resident set at most ${mib(Math.max(...rss))}; ` +
      `${last.descriptors} descriptors at the end; log ${(logBytes / 1000).toFixed(0)} kB; who stayed lost ${stayed.lost} of ${stayed.sent} ` +
      `reliable messages, p99 ${stayed.rttMs?.p99 ?? "–"} ms`,
  };
}
