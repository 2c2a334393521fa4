// `node test/bench/prediction/plot.ts`: draws docs/netcode-walk.svg. One player walks; how far from where it was at that time does
// another one see it, at 5 % loss, over ws-transport and over UDP?
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Host, Lab, type LabProcess, Line } from "../../lab/lab/index.ts";
import { prepare } from "../../lab/lab/prepare.ts";
import type { PlayersArguments } from "./players.ts";
import type { ServerArguments } from "./server.ts";

const FILE = fileURLToPath(new URL("../../../docs/netcode-walk.svg", import.meta.url));
const SERVER = new URL("./server.ts", import.meta.url);
const PLAYERS = new URL("./players.ts", import.meta.url);
const SECONDS = 20;
const SETTLE_SECONDS = 4;
const DELAY_MS = 60;
const LOSS = 0.05;

type Walk = [ms: number, x: number, y: number][];
/** Seconds, pixels. */
type Errors = [seconds: number, error: number][];

const ask = async (child: LabProcess): Promise<Walk> => {
  child.write("walk\n");
  return (await child.waitForJson<{ event: string; walk: Walk }>(({ event }) => event === "walk", 20_000)).walk;
};

async function walk(home: Host, away: Host, line: Line, transport: "ws" | "sallyport", port: number): Promise<Errors> {
  const [address] = line.addresses;
  await line.set({ delayMs: DELAY_MS });
  await using server = home.spawnModule(SERVER, { transport, address, port } satisfies ServerArguments);
  await server.waitForLine(/listening/, 20_000);
  const mode = transport === "ws" ? "reliable" : "unreliable";
  const url = `http://${address}:${port}`;
  await using players = away.spawnModule(PLAYERS, { transport, mode, url, players: 2 } satisfies PlayersArguments);
  await players.waitForLine(/walking/, 30_000);
  await line.set({ delayMs: DELAY_MS, loss: LOSS });
  await new Promise((resolve) => setTimeout(resolve, (SETTLE_SECONDS + SECONDS) * 1000));
  const [truth, drawn] = [await ask(server), await ask(players)];
  const end = truth.at(-1)?.[0] ?? 0;
  const from = end - SECONDS * 1000;
  return drawn
    .filter(([ms]) => ms >= from && ms <= end)
    .map(([ms, x, y]) => {
      const [trueX, trueY] = at(truth, ms);
      return [(ms - from) / 1000, Math.hypot(x - trueX, y - trueY)];
    });
}

/** Where the player was, between two steps. */
function at(truth: Walk, ms: number): [x: number, y: number] {
  const next = truth.findIndex(([time]) => time >= ms);
  const [t1, x1, y1] = truth[next] ?? [0, 0, 0];
  const [t0, x0, y0] = truth[Math.max(0, next - 1)] ?? [0, 0, 0];
  const share = t1 > t0 ? (ms - t0) / (t1 - t0) : 0;
  return [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
}

const WIDTH = 800;
const PANEL = 130;
const LEFT = 44;
const TOP = 34;
const GAP = 46;

function panel(title: string, errors: Errors, top: number, most: number, colour: string): string {
  const x = (seconds: number): string => (LEFT + (seconds / SECONDS) * (WIDTH - LEFT - 10)).toFixed(1);
  const y = (error: number): string => (top + PANEL * (1 - Math.min(1, error / most))).toFixed(1);
  const points = errors.map(([seconds, error]) => `${x(seconds)},${y(error)}`).join(" ");
  const ticks = [0, most / 2, most].map(
    (error) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(error)}" y2="${y(error)}"/>` +
      `<text x="${LEFT - 6}" y="${Number(y(error)) + 4}" text-anchor="end">${error}</text>`,
  );
  return [
    `<text class="title" x="${LEFT}" y="${top - 10}">${title}</text>`,
    ...ticks,
    `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
  ].join("\n");
}

const worst = (errors: Errors): number => Math.max(...errors.map(([, error]) => error));
const mean = (errors: Errors): number => errors.reduce((sum, [, error]) => sum + error, 0) / errors.length;
const figures = (errors: Errors): string => `mean ${mean(errors).toFixed(1)}, worst ${worst(errors).toFixed(0)} px`;

const missing = prepare();
if (missing !== undefined) throw new Error(missing);
await using lab = await Lab.create();
const [home, away] = await Promise.all([lab.host(), lab.host()]);
await using line = await Line.between(home, away);
const ws = await walk(home, away, line, "ws", 7001);
const udp = await walk(home, away, line, "sallyport", 7002);
const most = Math.ceil(Math.max(worst(ws), worst(udp)) / 50) * 50;
const height = TOP + 2 * PANEL + GAP + 34;
const seconds = Array.from({ length: 5 }, (_, n) => (n * SECONDS) / 4).map(
  (value) =>
    `<text x="${LEFT + (value / SECONDS) * (WIDTH - LEFT - 10)}" y="${height - 12}" text-anchor="${value === SECONDS ? "end" : "middle"}">${value} s</text>`,
);
await writeFile(
  FILE,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Error in pixels of a walking player, as another one sees it: over ws ${figures(ws)}, over UDP ${figures(udp)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #667; }
.title { font-weight: 600; font-size: 13px; }
.grid { stroke: #8888; stroke-width: 0.5; }
</style>
${panel(`WebSocket (${figures(ws)})`, ws, TOP, most, "#d9480f")}
${panel(`Sallyport, UDP (${figures(udp)})`, udp, TOP + PANEL + GAP, most, "#1c7ed6")}
${seconds.join("\n")}
</svg>
`,
);
console.log(`ws ${figures(ws)}; UDP ${figures(udp)}; ${FILE}`);
