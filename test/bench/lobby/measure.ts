/** Lobbies with more and more waiting hosts: what they weigh, what they use of the processor, how long an introduction takes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../interop/lobby-programs.ts";
import { Redis } from "../../interop/redis.ts";
import type { GuestsArguments, GuestsReport } from "./guests.ts";
import type { HostsAnswer, HostsArguments } from "./hosts.ts";
import type { LobbyArguments, LobbyFigures } from "./server.ts";

/** One level of a run. */
export interface Level {
  hosts: number;
  /** All of the lobby's processes together, MB; Redis apart. */
  megabytes: number;
  redisMegabytes: number;
  /** Of one core, while hosts wait, and while players are introduced: all processes, Redis among them. */
  idleShare: number;
  busyShare: number;
  p50: number;
  p99: number;
  failed: number;
  /** The longest that an event loop stood still. */
  stalledMs: number;
  listMs: number;
  listBytes: number;
  /** Hosts that came since the level before, in a second. */
  perSecond: number;
  lost: number;
}

const HOST_PROCESSES = 4;
const AT_A_TIME = 8;
const SETTLE_MS = 2_000;
const IDLE_MS = 8_000;
const GUESTS = 200;
const GUESTS_PER_SECOND = 20;
const CLOCK_TICKS_PER_SECOND = 100;

const module = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const CHEAP = ["--import", module("./cheap-codes.ts")];

const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
};
const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1000;
const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** A child that is asked and answers by messages. */
class Child implements AsyncDisposable {
  readonly pid: number;
  readonly #process: ChildProcess;

  constructor(name: string, args: object, flags: readonly string[]) {
    this.#process = spawn(process.execPath, [...flags, module(name), JSON.stringify(args)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.pid = this.#process.pid ?? 0;
  }

  async ask<T>(question?: number): Promise<T> {
    const answer = once(this.#process, "message");
    const ended = once(this.#process, "exit").then(([code]) => {
      throw new Error(`a process of the benchmark ended with ${code}`);
    });
    if (question !== undefined) this.#process.send(question);
    return (await Promise.race([answer, ended]))[0] as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

/** @param processes 1, or several that share a Redis */
export async function measureLobby(processes: number, levels: readonly number[]): Promise<Level[]> {
  await using stack = new AsyncDisposableStack();
  const redis = processes > 1 ? stack.use(await Redis.start()) : undefined;
  const ports = await Promise.all(Array.from({ length: processes }, () => freePort()));
  const lobbies: Child[] = [];
  for (const port of ports) {
    const args: LobbyArguments = { port, redis: redis?.socket };
    const lobby = stack.use(new Child("./server.ts", args, CHEAP));
    await lobby.ask();
    lobbies.push(lobby);
  }
  const urls = ports.map((port) => `http://127.0.0.1:${port}/`);
  const hostsArguments: HostsArguments = { lobbies: urls, atATime: AT_A_TIME };
  const crowds = Array.from({ length: HOST_PROCESSES }, () =>
    stack.use(new Child("./hosts.ts", hostsArguments, CHEAP)),
  );
  const pids = [...lobbies.map(({ pid }) => pid), ...(redis ? [redis.pid] : [])];
  const used = (): number => sum(pids.map(cpuMs));

  const found: Level[] = [];
  let before = 0;
  for (const hosts of levels) {
    const answers = await Promise.all(crowds.map((crowd) => crowd.ask<HostsAnswer>(Math.ceil(hosts / HOST_PROCESSES))));
    const seconds = Math.max(...answers.map(({ ms }) => ms)) / 1000;
    await sleep(SETTLE_MS);
    for (const lobby of lobbies) await lobby.ask<LobbyFigures>(0);
    const calm = await share(used, () => sleep(IDLE_MS));
    let report: GuestsReport = { times: [], failed: 0 };
    const links = answers.flatMap((answer) => answer.links);
    const busy = await share(used, async () => {
      report = await introduce({ links, count: GUESTS, perSecond: GUESTS_PER_SECOND });
    });
    const figures: LobbyFigures[] = [];
    for (const lobby of lobbies) figures.push(await lobby.ask<LobbyFigures>(0));
    const times = report.times.toSorted((a, b) => a - b);
    const level: Level = {
      hosts,
      megabytes: sum(figures.map(({ residentBytes }) => residentBytes)) / 1e6,
      redisMegabytes: redis ? residentMegabytes(redis.pid) : 0,
      idleShare: calm,
      busyShare: busy,
      p50: at(times, 0.5),
      p99: at(times, 0.99),
      failed: report.failed,
      stalledMs: Math.max(...figures.map(({ stalledMs }) => stalledMs)),
      listMs: Math.max(...figures.map(({ listMs }) => listMs)),
      listBytes: Math.max(...figures.map(({ listBytes }) => listBytes)),
      perSecond: (hosts - before) / seconds,
      lost: sum(answers.map(({ lost }) => lost)),
    };
    // It takes minutes: who waits sees how far it is.
    process.stderr.write(`${JSON.stringify({ processes, ...level })}\n`);
    found.push(level);
    before = hosts;
  }
  return found;
}

/** How many real registrations, each with its slow hash on both sides, come about in a second. */
export async function registrationsPerSecond(count: number): Promise<number> {
  const port = await freePort();
  const args: LobbyArguments = { port, redis: undefined };
  await using lobby = new Child("./server.ts", args, []);
  await lobby.ask();
  const hostsArguments: HostsArguments = { lobbies: [`http://127.0.0.1:${port}/`], atATime: AT_A_TIME };
  await using crowd = new Child("./hosts.ts", hostsArguments, []);
  const { ms } = await crowd.ask<HostsAnswer>(count);
  return (count * 1000) / ms;
}

/** Of one core, while something is done. */
async function share(used: () => number, during: () => Promise<void>): Promise<number> {
  const [began, before] = [performance.now(), used()];
  await during();
  return (used() - before) / (performance.now() - began);
}

async function introduce(args: GuestsArguments): Promise<GuestsReport> {
  const child = spawn(process.execPath, [...CHEAP, module("./guests.ts"), JSON.stringify(args)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(await text(child.stdout)) as GuestsReport;
}
