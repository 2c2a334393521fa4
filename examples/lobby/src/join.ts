/** `npm run join` */

import { NETWORK_PRESETS, type NetworkPreset, networkPreset } from "sallyport/client";
import { readArguments, readLobby, type Usage, UsageError } from "./cli/arguments.ts";
import { readLine } from "./cli/line.ts";
import { Failure, keepOutputForJson, runProgram } from "./cli/program.ts";
import { style } from "./cli/style.ts";
import { openTrace, TRACE_OPTION } from "./cli/trace.ts";
import { type Measurement, measure } from "./join/measure.ts";
import { PairWatch, type TriedPair } from "./join/pairs.ts";
import { joinGame } from "./network/client.ts";

const USAGE: Usage = {
  command: "npm run join --",
  positional: "INVITE-OR-URL",
  summary:
    'Joins an arena as a bot that plays for a while, and says how good the connection is. "lan" joins whoever hosts on this network; "-" reads the invite from standard input, where no other user of this machine sees it.',
  options: {
    lobby: {
      type: "string",
      value: "URL",
      help: "lobby to ask about a code of eight characters (LOBBY_URL, else http://localhost:2567)",
    },
    seconds: { type: "string", value: "N", help: "how long to play (10)" },
    name: { type: "string", value: "TEXT", help: "the player's name" },
    line: {
      type: "string",
      value: "NAME",
      help: "a bad line, to see how it feels: mobile, hotel-wifi, other-continent",
    },
    relay: {
      type: "string",
      value: "KBPS,GB",
      help: "relay for other players of the game, where this computer can: most kbit/s, and most GB in all",
    },
    until: { type: "string", value: "PATH", help: "end a second after this path is reached: direct, punched, relayed" },
    json: { type: "boolean", help: "one JSON line at the end" },
    trace: TRACE_OPTION,
  },
  environment: {
    LOBBY_URL: "lobby to ask when the invite is a bare code of eight characters",
    SALLYPORT_RELAYS: "for a code of twelve characters: the host's relays, where it has others than the package's",
    SALLYPORT_STUN_URLS: "STUN servers in place of the package's",
    SALLYPORT_RELAY_ONLY: "yes hides your address from the host: a TURN server carries everything",
  },
  examples: [
    "npm run join -- K7Q2-9FXM",
    "npm run join -- K7Q2-9FXM-T3PD",
    'npm run join -- "https://lobby.example/#K7Q2-9FXM" --seconds 60',
    "npm run join -- http://203.0.113.7:7777 --json",
    "npm run join -- lan",
    "npm run join -- http://203.0.113.7:7777 --line mobile",
    "npm run join -- - < invite.txt",
  ],
};

/** What the last line says. */
export interface JoinReport extends Omit<Measurement, "ended"> {
  connected: boolean;
  /** As it was at the end; null when there was none. */
  path: string | null;
  remote: string | null;
  connectMs: number | null;
  upgrades: number;
  /** What ICE tried, where it was asked: by invite. */
  pairs: TriedPair[];
  /** Why this path, in plain words. */
  pathReason: string | null;
  /** Why there is no connection, or why it ended early, and what to do. */
  reason: string | null;
}

const NOTHING: Omit<JoinReport, "pairs"> = {
  connected: false,
  path: null,
  pathReason: null,
  remote: null,
  connectMs: null,
  rttMs: null,
  sent: 0,
  received: 0,
  lost: 0,
  unreliable: { sent: 0, received: 0 },
  ackMs: null,
  correctionsPerMinute: null,
  players: 0,
  upgrades: 0,
  reason: null,
};

/** Errors whose message is meant for people. */
const SAID_WELL: ReadonlySet<string> = new Set(["RendezvousError", "MatchMakeError"]);
/** `--until`: what is on its way still counts. */
const AFTER_REACHED_MS = 1000;

await runProgram(async ({ signal, onExit }) => {
  const options = readArguments(USAGE, process.argv.slice(2));
  const [given] = options.positionals;
  // A link on the command line is there for all users of this machine to see, its seal too.
  const said = given === "-" ? await readLine("Invite or URL: ", signal) : given;
  // cmd.exe passes on the quotes of other shells.
  const target = said?.replace(/^'(.*)'$/, "$1");
  if (signal.aborted) return 1;
  if (target === undefined)
    throw new UsageError(
      'What to join? Give an invite (K7Q2-9FXM), the host\'s URL, or "lan" for a game on this network. See --help.',
    );
  const seconds = readSeconds(options.text("seconds") ?? "10");
  const lobby =
    readLobby(options.text("lobby"), "--lobby") ??
    readLobby(process.env["LOBBY_URL"], "LOBBY_URL") ??
    "http://localhost:2567/";
  const line = readLineName(options.text("line"));
  const limits = readRelay(options.text("relay"));
  const relayForOthers = limits && {
    ...limits,
    onChange: ({ reason }: { reason: string }) => json || console.log(reason),
  };
  const json = options.flag("json");
  openTrace(options.text("trace"), "npm run join", onExit);
  using watch = new PairWatch();
  if (json) keepOutputForJson();
  else console.log(given === "-" ? "Joining …" : `Joining ${target} …`);

  const report: JoinReport = { ...(await play(target)), pairs: watch.pairs };
  const isCurious = !report.connected || options.text("trace") !== undefined;
  const lines = [...summaryOf(report), ...(isCurious ? watch.describe() : [])];
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${lines.join("\n")}\n`);
  return report.connected ? 0 : 1;

  async function play(goal: string): Promise<Omit<JoinReport, "pairs">> {
    const began = performance.now();
    try {
      const game = await joinGame(goal, { lobby, name: options.text("name") ?? "Bot", line, relayForOthers, signal });
      onExit(() => game.leave());
      const connectMs = Math.round(performance.now() - began);
      if (!json)
        console.log(
          `${style("green", "Connected")} by ${game.path().kind} to ${game.path().remote} in ${connectMs} ms`,
        );
      const enough = new AbortController();
      const look = (): void => {
        if (game.path().kind === options.text("until")) setTimeout(() => enough.abort(), AFTER_REACHED_MS).unref();
      };
      game.room.onPathChange(look);
      look();
      const { ended, ...measured } = await measure(game.room, seconds, signal, enough.signal);
      const { kind: path, remote, reason: pathReason } = game.path();
      return {
        connected: true,
        path,
        pathReason,
        remote,
        connectMs,
        ...measured,
        upgrades: game.upgrades(),
        reason: ended ?? null,
      };
    } catch (error) {
      if (signal.aborted) return { ...NOTHING, reason: "Interrupted before the connection stood." };
      if (error instanceof Failure || (error instanceof Error && SAID_WELL.has(error.name))) {
        return { ...NOTHING, reason: error.message };
      }
      console.error(error);
      return { ...NOTHING, reason: error instanceof Error ? error.message : String(error) };
    }
  }
});

/** @throws UsageError */
function readSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !(seconds > 0 && seconds <= 86_400)) {
    throw new UsageError(`--seconds must be a number above 0 and at most 86400, not "${text}"`);
  }
  return seconds;
}

/** @throws UsageError */
function readLineName(text: string | undefined): NetworkPreset | undefined {
  if (text === undefined) return undefined;
  const preset = networkPreset(text);
  if (preset !== undefined) return preset;
  throw new UsageError(`--line must be one of ${Object.keys(NETWORK_PRESETS).join(", ")}, not "${text}"`);
}

/** @throws UsageError */
function readRelay(text: string | undefined): { kbps: number; gb: number } | undefined {
  if (text === undefined) return undefined;
  const [kbps = 0, gb = 0] = text.split(",").map(Number);
  if (kbps > 0 && gb > 0) return { kbps, gb };
  throw new UsageError(`--relay must be two numbers above 0, as in 2000,5, not "${text}"`);
}

function summaryOf(report: JoinReport): string[] {
  if (!report.connected) return [`${style("red", "Not connected.")} ${report.reason ?? ""}`];
  const { rttMs, sent, received, lost, unreliable, path, pathReason, remote, upgrades, reason } = report;
  const { ackMs, correctionsPerMinute } = report;
  return [
    `Path        ${path} to ${remote}${upgrades > 0 ? `, ${upgrades} upgrade(s)` : ""}: ${pathReason}`,
    `Round trip  ${rttMs === null ? "–" : `${rttMs.p50} ms (p50), ${rttMs.p99} ms (p99)`}`,
    `Reliable    ${received} of ${sent} answered${lost > 0 ? style("red", `, ${lost} lost`) : ""}`,
    `Inputs      ${ackMs === null ? "–" : `answered in ${ackMs.p50} ms (p50), ${ackMs.p99} ms (p99)`}, ${correctionsPerMinute} corrections a minute`,
    `Unreliable  ${unreliable.received} of ${unreliable.sent} answered`,
    ...(reason === null ? [] : [style("yellow", reason)]),
  ];
}
