/** Colyseus' own prediction at 60 Hz on a bad line: over ws-transport, over UDP, and over WebRTC in Chromium, on one line by turns. */
import { hasChromium } from "../interop/page-chromium.ts";
import { type Host, Lab, type LabProcess, Line } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { PlayersArguments, PlayersReport } from "./prediction/players.ts";
import type { ServerArguments, ServerReport } from "./prediction/server.ts";
import type { BenchRow } from "./row.ts";

const SERVER = new URL("./prediction/server.ts", import.meta.url);
const PLAYERS = new URL("./prediction/players.ts", import.meta.url);
const BROWSER = new URL("./prediction/browser.ts", import.meta.url);

const SECONDS = Number(process.env["SALLYPORT_PREDICTION_SECONDS"] ?? 12);
/** Only transports whose name begins so; goals are reckoned against ws where that is among them. */
const ONLY = process.env["SALLYPORT_PREDICTION_ONLY"]?.split(",") ?? [""];
const COUNT = 6;
/** Joining, and the first acknowledgements, are not measured. */
const WARM_UP_MS = 1500;
const ROUND_TRIPS_MS = [30, 120];
const LOSSES = [0, 0.02, 0.05, 0.1];
/** The loss at which there are goals, and what they are. */
const GOAL_LOSS = 0.05;
const SLACK_MS = 35;
const SLACK_TICKS = 3;
const SHARE_OF_WS = 0.5;

interface Way {
  name: string;
  transport: "ws" | "sallyport";
  mode: "reliable" | "unreliable";
  module: URL;
}

const ALL_WAYS: readonly Way[] = [
  { name: "ws", transport: "ws", mode: "reliable", module: PLAYERS },
  { name: "UDP, reliable inputs", transport: "sallyport", mode: "reliable", module: PLAYERS },
  { name: "UDP, unreliable inputs", transport: "sallyport", mode: "unreliable", module: PLAYERS },
  ...(hasChromium
    ? [{ name: "WebRTC (Chromium)", transport: "sallyport", mode: "unreliable", module: BROWSER } as const]
    : []),
];
const WAYS = ALL_WAYS.filter(({ name }) => ONLY.some((beginning) => name.startsWith(beginning)));

interface Seen {
  way: Way;
  roundTripMs: number;
  loss: number;
  p50: number;
  p99: number;
  p999: number;
  starvedTicks: number;
  correctionsPerMinute: number;
  cpuMsPerSecond: number;
  /** Both ways, for each player, with all headers, a second. */
  wireBytes: number;
}

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function ask<T extends Record<string, unknown>>(child: LabProcess): Promise<T> {
  child.write("\n");
  return await child.waitForJson<T>(({ event }) => event === "report", 30_000);
}

/** Bytes that the line has carried, both ways. */
async function carried(machine: Host, line: Line): Promise<number> {
  const folder = `/sys/class/net/${line.name}/statistics`;
  const { stdout } = await machine.exec(["cat", `${folder}/rx_bytes`, `${folder}/tx_bytes`]);
  return stdout.split("\n").reduce((sum, each) => sum + Number(each), 0);
}

class Stage {
  readonly #home: Host;
  readonly #away: Host;
  readonly #line: Line;
  #port = 7000;

  constructor(home: Host, away: Host, line: Line) {
    this.#home = home;
    this.#away = away;
    this.#line = line;
  }

  async measure(way: Way, roundTripMs: number, loss: number): Promise<Seen> {
    const line = this.#line;
    const [address] = line.addresses;
    this.#port += 1;
    const serverArguments: ServerArguments = { transport: way.transport, address, port: this.#port };
    await line.set({ delayMs: roundTripMs / 2 });
    await using server = this.#home.spawnModule(SERVER, serverArguments);
    await server.waitForLine(/listening/, 20_000);
    const { transport, mode } = way;
    const url = `http://${address}:${this.#port}`;
    const playersArguments: PlayersArguments = { transport, mode, url, players: COUNT };
    await using players = this.#away.spawnModule(way.module, playersArguments);
    await players.waitForLine(/walking/, 60_000);
    await line.set({ delayMs: roundTripMs / 2, loss });
    await wait(WARM_UP_MS);
    await Promise.all([ask<ServerReport>(server), ask<PlayersReport>(players)]);
    const before = await carried(this.#away, line);
    const began = performance.now();
    await wait(SECONDS * 1000);
    const [served, { ackMs, corrections, path }] = await Promise.all([
      ask<ServerReport>(server),
      ask<PlayersReport>(players),
    ]);
    const seconds = (performance.now() - began) / 1000;
    const bytes = (await carried(this.#away, line)) - before;
    const expected = transport === "ws" ? "websocket" : "direct";
    if (path !== expected) throw new Error(`${way.name}: the path is ${path}`);
    const sorted = ackMs.toSorted((a, b) => a - b);
    return {
      way,
      roundTripMs,
      loss,
      p50: at(sorted, 0.5),
      p99: at(sorted, 0.99),
      p999: at(sorted, 0.999),
      starvedTicks: served.starvedTicks,
      correctionsPerMinute: (corrections / COUNT / seconds) * 60,
      cpuMsPerSecond: served.cpuMsPerSecond,
      wireBytes: bytes / COUNT / seconds,
    };
  }
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function shownRow(seen: Seen): BenchRow {
  const { way, roundTripMs, loss, p50, p99, p999, starvedTicks, correctionsPerMinute, cpuMsPerSecond, wireBytes } =
    seen;
  return {
    what: `prediction, round trip ${roundTripMs} ms, ${percent(loss)} loss, ${way.name}: input to acknowledgement`,
    value: `p50 ${p50.toFixed(0)}, p99 ${p99.toFixed(0)}, p99.9 ${p999.toFixed(0)} ms`,
    target: "shown",
    met: true,
    detail: `longest starvation ${starvedTicks} ticks; ${correctionsPerMinute.toFixed(1)} corrections a minute; server ${(cpuMsPerSecond / 10).toFixed(1)} % of a core; ${(wireBytes / 1000).toFixed(1)} kB/s a player on the wire, both ways`,
  };
}

function goalRows(seen: Seen, lossless: Seen, ws: Seen): BenchRow[] {
  const what = `prediction, round trip ${seen.roundTripMs} ms, ${percent(seen.loss)} loss, ${seen.way.name}`;
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  return [
    {
      what: `${what}: p99 to that without loss`,
      value: `${ms(seen.p99)}, without loss ${ms(lossless.p99)}`,
      target: `<= + ${SLACK_MS} ms`,
      met: seen.p99 <= lossless.p99 + SLACK_MS,
    },
    {
      what: `${what}: p99 to ws`,
      value: `${ms(seen.p99)}, ws ${ms(ws.p99)}`,
      target: `<= ${SHARE_OF_WS} x`,
      met: seen.p99 <= SHARE_OF_WS * ws.p99,
    },
    {
      what: `${what}: longest starvation to that without loss`,
      value: `${seen.starvedTicks} ticks, without loss ${lossless.starvedTicks}`,
      target: `<= + ${SLACK_TICKS} ticks`,
      met: seen.starvedTicks <= lossless.starvedTicks + SLACK_TICKS,
    },
  ];
}

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing) return [{ what: "prediction", value: "not measured", target: "", met: false, detail: missing }];
  await using lab = await Lab.create();
  const [home, away] = await Promise.all([lab.host(), lab.host()]);
  await using line = await Line.between(home, away);
  const stage = new Stage(home, away, line);
  const result: BenchRow[] = [];
  for (const roundTripMs of ROUND_TRIPS_MS) {
    const all: Seen[] = [];
    for (const loss of LOSSES) {
      for (const way of WAYS) {
        const seen = await stage.measure(way, roundTripMs, loss);
        process.stderr.write(`  ${shownRow(seen).what} ${shownRow(seen).value}\n`);
        all.push(seen);
        result.push(shownRow(seen));
      }
    }
    const find = (transport: string, loss: number, name?: string): Seen | undefined =>
      all.find((seen) => seen.way.transport === transport && seen.loss === loss && (!name || seen.way.name === name));
    const ws = find("ws", GOAL_LOSS);
    for (const { name } of WAYS.filter(({ transport }) => transport === "sallyport")) {
      const [lossless, seen] = [find("sallyport", 0, name), find("sallyport", GOAL_LOSS, name)];
      if (ws && lossless && seen) result.push(...goalRows(seen, lossless, ws));
    }
  }
  return result;
}
