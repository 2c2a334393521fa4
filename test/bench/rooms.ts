/** A room of a hundred players, joins, memory: SallyportTransport beside Colyseus' own ws-transport, in one run. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Lab } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { ClientsArguments, Seen } from "./rooms/clients.ts";
import type { ServerArguments } from "./rooms/server.ts";
import type { BenchRow } from "./row.ts";

type Transport = ServerArguments["transport"];
type Task = Pick<ClientsArguments, "task" | "players" | "seconds">;

const SERVER = fileURLToPath(new URL("./rooms/server.ts", import.meta.url));
const CLIENTS = fileURLToPath(new URL("./rooms/clients.ts", import.meta.url));
const PLAYERS = 100;
const SECONDS = 4;
/** Of each pair the median counts: other programs disturb. */
const ROUNDS = 3;

/** Where servers and players run. */
interface Stage extends AsyncDisposable {
  where: string;
  /** False: losses cannot be had here. */
  setLoss(percent: number): Promise<boolean>;
  run<T>(transport: Transport, task: Task): Promise<T>;
}

/** A server behind a router, its players on the internet. */
async function labStage(): Promise<Stage> {
  const lab = await Lab.create();
  const gateway = await lab.gateway({ nat: "dmz", upnp: false });
  const [home, player] = await Promise.all([gateway.host(), lab.host()]);
  let port = 7000;
  return {
    where: "server behind a router of the lab, players outside",
    async setLoss(percent) {
      await gateway.setLoss(percent);
      return true;
    },
    async run<T>(transport: Transport, task: Task) {
      port += 2;
      await using server = home.spawnModule(SERVER, { transport, address: "0.0.0.0", port } satisfies ServerArguments);
      await server.waitForLine(/listening/, 20_000);
      const url = `http://${gateway.wanAddress}:${port}`;
      return await player.run<T>(CLIENTS, { transport, url, ...task } satisfies ClientsArguments, {
        timeoutMs: 120_000,
      });
    },
    [Symbol.asyncDispose]: async () => await lab[Symbol.asyncDispose](),
  };
}

function loopbackStage(): Stage {
  return {
    where: "loopback",
    setLoss: async (percent) => percent === 0,
    async run<T>(transport: Transport, task: Task) {
      const port = await freePort();
      const argument: ServerArguments = { transport, address: "127.0.0.1", port };
      const server = spawn(process.execPath, [SERVER, JSON.stringify(argument)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        await listening(server);
        const clients: ClientsArguments = { transport, url: `http://127.0.0.1:${port}`, ...task };
        const { stdout } = await promisify(execFile)(process.execPath, [CLIENTS, JSON.stringify(clients)]);
        return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as T;
      } finally {
        server.kill("SIGKILL");
        await once(server, "close");
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function listening(server: ChildProcess): Promise<void> {
  if (!server.stdout) throw new Error("a pipe was asked for");
  for await (const line of createInterface({ input: server.stdout })) if (line === "listening") return;
  throw new Error("The server ended.");
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

interface Pair {
  ws: Seen;
  ours: Seen;
}

/** The two by turns, so that whatever else the machine does is borne by both. */
async function pairs(stage: Stage, task: ClientsArguments["task"], rounds = ROUNDS): Promise<Pair[]> {
  const played: Pair[] = [];
  for (let round = 0; round < rounds; round++) {
    const ws = await stage.run<Seen>("ws", { task, players: PLAYERS, seconds: SECONDS });
    const ours = await stage.run<Seen>("sallyport", { task, players: PLAYERS, seconds: SECONDS });
    played.push({ ws, ours });
  }
  return played;
}

const of = (played: Pair[], who: keyof Pair, what: keyof Seen): number => median(played.map((pair) => pair[who][what]));
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

function cpuRow(what: string, played: Pair[], target: number | null, detail: string): BenchRow {
  const ratio = median(played.map(({ ws, ours }) => ours.cpuMicrosPerDelivery / ws.cpuMicrosPerDelivery));
  const cost = (who: keyof Pair): string =>
    `${of(played, who, "cpuMicrosPerDelivery").toFixed(1)} µs each, ${of(played, who, "cpuMsPerSecond").toFixed(0)} ms/s`;
  return {
    what: `${what}: CPU of the server, to ws-transport`,
    value: ratio.toFixed(2),
    target: target === null ? "shown" : `<= ${target}`,
    met: target === null || ratio <= target,
    detail: `${cost("ours")}; ws ${cost("ws")}. ${detail}`,
  };
}

function delayRow(what: string, played: Pair[], slackMs: number): BenchRow {
  const [ours, ws] = [of(played, "ours", "p99"), of(played, "ws", "p99")];
  return {
    what: `${what}: p99 from the room to the player`,
    value: `${ms(ours)}, ws ${ms(ws)}`,
    target: `<= ws + ${slackMs} ms`,
    met: ours <= ws + slackMs,
    detail: `p50 ${ms(of(played, "ours", "p50"))}, ws ${ms(of(played, "ws", "p50"))}; max ${ms(of(played, "ours", "max"))}, ws ${ms(of(played, "ws", "max"))}`,
  };
}

async function roomRows(stage: Stage): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const room = `a room broadcasting at 20 Hz among ${PLAYERS} players`;
  const who = `Each player sends 20 messages a second; median of ${ROUNDS} pairs by turns, ${stage.where}.`;
  const broadcasts = await pairs(stage, "broadcasts");
  rows.push(cpuRow(room, broadcasts, 0.5, `25 messages a tick, to all. ${who}`), delayRow(room, broadcasts, 5));
  const relay = await pairs(stage, "relay", 1);
  rows.push(cpuRow("what a player says is passed on at once to 100", relay, null, `500 a second, to all. ${who}`));
  const patches = await pairs(stage, "patches");
  const one =
    "A datagram in and one out for each player, each as dear to the system as a write to a socket: with one patch a tick there is nothing to put together, and TCP acknowledges in the kernel.";
  rows.push(cpuRow("one patch a tick", patches, 0.5, `${one} ${who}`), delayRow("one patch a tick", patches, 5));
  for (const percent of [2, 5]) {
    if (!(await stage.setLoss(percent))) continue;
    const lossy = await pairs(stage, "broadcasts", 1);
    const what = `${room}, ${percent} % loss`;
    rows.push(cpuRow(what, lossy, 0.5, who), delayRow(what, lossy, 0));
  }
  await stage.setLoss(0);
  return rows;
}

async function joinRows(stage: Stage): Promise<BenchRow[]> {
  const both = async <T>(task: Task): Promise<{ ws: T; ours: T }> => ({
    ws: await stage.run<T>("ws", task),
    ours: await stage.run<T>("sallyport", task),
  });
  const joins = await both<{ perSecond: number }>({ task: "joins", players: 300, seconds: 0 });
  const memory = await both<{ rss: number; heap: number }>({ task: "memory", players: 300, seconds: 0 });
  const first = await both<{ p50: number; p99: number }>({ task: "first-state", players: 60, seconds: 0 });
  const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} kB`;
  return [
    {
      what: "joins per second",
      value: `${joins.ours.perSecond.toFixed(0)}, ws ${joins.ws.perSecond.toFixed(0)}`,
      target: "shown",
      met: true,
      detail: "joinOrCreate, 25 at once, all players in one process that has as much to do as the server",
    },
    {
      what: "memory per idle player",
      value: `${kilobytes(memory.ours.rss)}, ws ${kilobytes(memory.ws.rss)}`,
      target: "shown",
      met: true,
      detail: `resident; JavaScript's part of it after collection ${kilobytes(memory.ours.heap)}, ws ${kilobytes(memory.ws.heap)}`,
    },
    {
      what: "joinOrCreate to first state",
      value: `p50 ${ms(first.ours.p50)}, ws ${ms(first.ws.p50)}`,
      target: "<= ws + 5 ms",
      met: first.ours.p50 <= first.ws.p50 + 5,
      detail: `p99 ${ms(first.ours.p99)}, ws ${ms(first.ws.p99)}; a request more than ws needs, for the connect token`,
    },
  ];
}

export async function rows(): Promise<BenchRow[]> {
  await using stage = prepare() === undefined ? await labStage() : loopbackStage();
  return [...(await roomRows(stage)), ...(await joinRows(stage))];
}

if (import.meta.main) console.table(await rows());
