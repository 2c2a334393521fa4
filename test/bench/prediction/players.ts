// Players of the prediction room, all in one process: each sends inputs at 60 Hz and predicts itself. Says when all walk; a line on
// standard input asks what they saw since the last one; "walk" asks where the second drew the first.
import { createInterface } from "node:readline";
import { Client } from "@colyseus/sdk";
import { SallyportClient } from "sallyport/client";
import { FIELD, INTERPOLATION_MS } from "../../../examples/lobby/src/arena/rules.js";
import { firstState, Pilot } from "../../../examples/lobby/src/join/pilot.ts";
import type { ArenaSession } from "../../../examples/lobby/src/network/client.ts";

export interface PlayersArguments {
  transport: "ws" | "sallyport";
  mode: "reliable" | "unreliable";
  historySize?: number;
  url: string;
  players: number;
}

export interface PlayersReport extends Record<string, unknown> {
  event: "report";
  /** From an input to the room's acknowledgement, ms. */
  ackMs: number[];
  corrections: number;
  inputs: number;
  path: string;
}

/** Of the first player, as the second drew it: the room's time that was drawn, ms, and where. */
export interface DrawnReport extends Record<string, unknown> {
  event: "walk";
  walk: [ms: number, x: number, y: number][];
}

const MOST_FRAMES = 10_000;
const drawn: DrawnReport["walk"] = [];
const FRAME_MS = 1000 / 60;

const { transport, mode, historySize, url, players } = JSON.parse(process.argv[2] ?? "{}") as PlayersArguments;
console.info = console.warn = () => {};
const client: Client = transport === "ws" ? new Client(url) : new SallyportClient(url, { udpTimeoutMs: 20_000 });
const pilots: Pilot[] = [];
const rooms: ArenaSession[] = [];
for (let n = 0; n < players; n++) {
  const room = (await client.joinOrCreate("prediction")) as unknown as ArenaSession;
  await firstState(room);
  rooms.push(room);
  pilots.push(new Pilot(room, { mode, ...(historySize === undefined ? {} : { historySize }) }));
}
let before = { corrections: 0, inputs: 0 };
const sum = (of: (pilot: Pilot) => number): number => pilots.reduce((total, pilot) => total + of(pilot), 0);
setInterval(() => {
  const now = performance.now();
  for (const [n, pilot] of pilots.entries()) {
    pilot.frame(now, () => {
      // To and fro, each on a way of its own: where an input is missing, the prediction is wrong by a step.
      const turn = Math.floor(now / 350 + n / 3) % 4;
      const back = pilot.own.x > FIELD.width / 2 ? -1 : 1;
      return { x: turn % 2 === 0 ? 100 * back : 0, y: turn === 1 ? 100 : turn === 3 ? -100 : 0 };
    });
  }
  draw();
}, FRAME_MS);

function draw(): void {
  const [walker, watcher] = rooms;
  const watched = watcher?.state.players.get(walker?.sessionId ?? "");
  if (watched === undefined || watcher === undefined || drawn.length >= MOST_FRAMES) return;
  const { clock } = watcher;
  const { x, y } = pilots[1]?.seen(watched) ?? watched;
  drawn.push([clock.serverNow() - INTERPOLATION_MS - clock.smoothedRtt() / 2, x, y]);
}

createInterface(process.stdin).on("line", (line) => {
  if (line === "walk") {
    process.stdout.write(`${JSON.stringify({ event: "walk", walk: drawn } satisfies DrawnReport)}\n`);
    return;
  }
  const [corrections, inputs] = [sum((pilot) => pilot.corrections), sum((pilot) => pilot.sent)];
  const report: PlayersReport = {
    event: "report",
    ackMs: pilots.flatMap((pilot) => pilot.ackMs.splice(0)),
    corrections: corrections - before.corrections,
    inputs: inputs - before.inputs,
    path: (rooms[0] as Partial<ArenaSession> | undefined)?.path?.kind ?? "websocket",
  };
  before = { corrections, inputs };
  process.stdout.write(`${JSON.stringify(report)}\n`);
});
process.stdout.write("walking\n");
