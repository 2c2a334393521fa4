// `node test/bench/lobby/plot.ts`: draws docs/lobby-hosts.svg. What waiting hosts cost a lobby of one process, and one of four with
// Redis: memory, processor, and how long an introduction takes.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Level, measureLobby } from "./measure.ts";

const FILE = fileURLToPath(new URL("../../../docs/lobby-hosts.svg", import.meta.url));
const LEVELS = [1_000, 2_500, 5_000, 10_000];
const WIDTH = 800;
const PANEL = 120;
const LEFT = 60;
const TOP = 54;
const GAP = 46;
const RIGHT = 16;
const MOST_HOSTS = LEVELS.at(-1) ?? 0;

interface Run {
  name: string;
  colour: string;
  levels: Level[];
}

interface Panel {
  title: string;
  unit: string;
  value: (level: Level) => number;
}

const PANELS: readonly Panel[] = [
  { title: "Introduction, p99", unit: "ms", value: ({ p99 }) => p99 },
  { title: "Memory of all its processes", unit: "MB", value: (level) => level.megabytes + level.redisMegabytes },
  { title: "Processor, of one core, while hosts wait", unit: "%", value: ({ idleShare }) => idleShare * 100 },
  { title: "Processor, with 20 introductions a second", unit: "%", value: ({ busyShare }) => busyShare * 100 },
];

const x = (hosts: number): string => (LEFT + (hosts / MOST_HOSTS) * (WIDTH - LEFT - RIGHT)).toFixed(1);

/** The next of 1, 2 and 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power || 1;
}

function draw({ title, unit, value }: Panel, runs: readonly Run[], top: number): string {
  const most = roundUp(Math.max(...runs.flatMap(({ levels }) => levels.map(value))));
  const y = (amount: number): string => (top + PANEL * (1 - amount / most)).toFixed(1);
  const ticks = [0, most / 2, most].map(
    (amount) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(amount)}" y2="${y(amount)}"/>` +
      `<text x="${LEFT - 6}" y="${Number(y(amount)) + 4}" text-anchor="end">${amount}</text>`,
  );
  const lines = runs.map(({ colour, levels }) => {
    const points = levels.map((level) => `${x(level.hosts)},${y(value(level))}`).join(" ");
    const last = levels.at(-1);
    const label =
      last &&
      `<text x="${WIDTH - RIGHT}" y="${Number(y(value(last))) - 5}" text-anchor="end">${value(last).toFixed(0)}</text>`;
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>${label ?? ""}`;
  });
  return [`<text class="title" x="${LEFT}" y="${top - 10}">${title} (${unit})</text>`, ...ticks, ...lines].join("\n");
}

const runs: Run[] = [
  { name: "one process", colour: "#d9480f", levels: await measureLobby(1, LEVELS) },
  { name: "four processes and Redis", colour: "#1c7ed6", levels: await measureLobby(4, LEVELS) },
];
const height = TOP + PANELS.length * (PANEL + GAP) + 10;
const legend = runs.map(
  ({ name, colour }, n) =>
    `<rect x="${LEFT + n * 140}" y="12" width="12" height="12" fill="${colour}"/><text x="${LEFT + 18 + n * 140}" y="22">${name}</text>`,
);
const hosts = [0, ...LEVELS].map(
  (count) =>
    `<text x="${x(count)}" y="${height - 22}" text-anchor="${count === MOST_HOSTS ? "end" : "middle"}">${count.toLocaleString("en").replaceAll(",", " ")}${count === MOST_HOSTS ? " hosts" : ""}</text>`,
);
await writeFile(
  FILE,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="What waiting hosts cost a lobby: introductions, memory and processor at up to 10 000 hosts">
<style>
text { font: 12px system-ui, sans-serif; fill: #667; }
.title { font-weight: 600; font-size: 13px; }
.grid { stroke: #8888; stroke-width: 0.5; }
</style>
${legend.join("\n")}
${PANELS.map((panel, n) => draw(panel, runs, TOP + n * (PANEL + GAP))).join("\n")}
${hosts.join("\n")}
</svg>
`,
);
for (const { name, levels } of runs) console.log(JSON.stringify({ name, levels }, null, 1));
console.log(FILE);
