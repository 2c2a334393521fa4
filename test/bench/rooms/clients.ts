// Players of one server; prints what they saw and what it cost the server.
import { Client } from "@colyseus/sdk";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { ServerCost } from "./server.ts";

export interface ClientsArguments {
  transport: "ws" | "sallyport";
  url: string;
  task: "patches" | "broadcasts" | "relay" | "joins" | "memory" | "first-state";
  players: number;
  seconds: number;
}

export interface Seen {
  /** Patches or messages that reached a player. */
  delivered: number;
  /** From the server's sending to the player's handler, ms. */
  p50: number;
  p99: number;
  max: number;
  /** Of the server, ms of CPU per s. */
  cpuMsPerSecond: number;
  /** Of the server, µs. */
  cpuMicrosPerDelivery: number;
  /** Of the clients' process, ms of CPU per s: near 1000 it is they who were slow. */
  clientCpuMsPerSecond: number;
}

interface AnyRoom {
  state: { sentAt: number };
  onStateChange(listener: (state: { sentAt: number }) => void): unknown;
  onMessage(type: string, listener: (message: never) => void): unknown;
  send(type: string, message?: unknown): void;
  leave(): Promise<number>;
  path?: { kind: string };
}

const { transport, url, task, players, seconds } = JSON.parse(process.argv[2] ?? "{}") as ClientsArguments;
console.info = console.warn = () => {};
const now = (): number => performance.timeOrigin + performance.now();
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const client: Client = transport === "ws" ? new Client(url) : new SallyportClient(url, { udpTimeoutMs: 20_000 });

async function cost(collected = false): Promise<ServerCost> {
  const target = new URL(collected ? "/collected" : "/", url);
  target.port = String(Number(target.port) + 1);
  return (await (await fetch(target)).json()) as ServerCost;
}

async function joinAll(name: string, count: number, atOnce = 20): Promise<AnyRoom[]> {
  const rooms: AnyRoom[] = [];
  while (rooms.length < count) {
    const batch = Array.from({ length: Math.min(atOnce, count - rooms.length) }, () => client.joinOrCreate(name));
    rooms.push(...((await Promise.all(batch)) as unknown as AnyRoom[]));
  }
  if (transport === "sallyport" && rooms.some(({ path }) => path?.kind !== "direct")) throw new Error("not over UDP");
  return rooms;
}

const at = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;

/** Everybody sends at 20 Hz: where they are, or (in a relay, a quarter of them) something that all shall hear. */
async function play(): Promise<Seen> {
  const rooms = await joinAll(task === "broadcasts" ? "stage" : "field", players);
  const delays: number[] = [];
  let measuring = false;
  const heard = (sentAt: number): void => {
    if (measuring && sentAt > 0) delays.push(now() - sentAt);
  };
  for (const room of rooms) {
    room.onMessage("say", (sentAt: number) => heard(sentAt));
    room.onMessage("at", ([, , sentAt]: [number, number, number]) => heard(sentAt));
    if (task === "patches") room.onStateChange(({ sentAt }) => heard(sentAt));
  }
  let tick = 0;
  // In slices, as real players do not send in the same moment.
  const slice = setInterval(() => {
    for (let i = tick % 10; i < rooms.length; i += 10) {
      if (task !== "relay") rooms[i]?.send("walk", [(tick + i) & 0x7fff, (tick * 3 + i) & 0x7fff]);
      else if (i % 4 === 0) rooms[i]?.send("say", now());
    }
    tick++;
  }, 5);
  await wait(1500);
  measuring = true;
  const before = await cost();
  const ownBefore = process.cpuUsage();
  const began = performance.now();
  await wait(seconds * 1000);
  measuring = false;
  const after = await cost();
  const own = process.cpuUsage(ownBefore);
  const elapsed = (performance.now() - began) / 1000;
  clearInterval(slice);
  const sorted = delays.toSorted((a, b) => a - b);
  const cpuMicros = after.cpuMicros - before.cpuMicros;
  return {
    delivered: sorted.length,
    p50: at(sorted, 0.5),
    p99: at(sorted, 0.99),
    max: at(sorted, 1),
    cpuMsPerSecond: cpuMicros / 1000 / elapsed,
    cpuMicrosPerDelivery: cpuMicros / sorted.length,
    clientCpuMsPerSecond: (own.user + own.system) / 1000 / elapsed,
  };
}

async function joins(): Promise<{ perSecond: number }> {
  await joinAll("quiet", 20);
  const began = performance.now();
  await joinAll("quiet", players, 25);
  return { perSecond: players / ((performance.now() - began) / 1000) };
}

async function memory(): Promise<{ rss: number; heap: number }> {
  await joinAll("quiet", 20);
  const before = await cost(true);
  await joinAll("quiet", players);
  await wait(500);
  const after = await cost(true);
  return { rss: (after.rssBytes - before.rssBytes) / players, heap: (after.heapBytes - before.heapBytes) / players };
}

async function firstState(): Promise<{ p50: number; p99: number }> {
  const times: number[] = [];
  for (let i = 0; i < players; i++) {
    const began = performance.now();
    const room = (await client.joinOrCreate("quiet")) as unknown as AnyRoom;
    if (!(room.state?.sentAt > 0)) await new Promise<unknown>((resolve) => room.onStateChange(resolve));
    // The first ones compile.
    if (i >= 5) times.push(performance.now() - began);
    await room.leave();
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { p50: at(sorted, 0.5), p99: at(sorted, 0.99) };
}

const tasks = { patches: play, broadcasts: play, relay: play, joins, memory, "first-state": firstState };
console.log(JSON.stringify(await tasks[task]()));
process.exit(0);
