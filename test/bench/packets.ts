/** CPU and memory of a packet, beside node:dgram and `ws`, all interleaved in one run. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Cost } from "./packets/child.ts";
import type { Shape } from "./packets/contender.ts";
import { crowd, flood } from "./packets/crowd.ts";
import type { BenchRow } from "./row.ts";

const ROUNDS = 40;
/** A server runs for hours: the first rounds, in which its code is compiled and compiled better, do not count. */
const WARM_UP = 16;
/** What a game server has: many peers, one datagram each a tick. */
const ALONE: Shape = { peers: 64, messages: 1, bytes: 200 };
const MANY: Shape = { peers: 64, messages: 16, bytes: 64 };

const HOW = `one server and ${ALONE.peers} peers in one process, a message each way per tick; a process per contender, rounds interleaved`;

class Runner implements Disposable {
  readonly costs: Cost[] = [];
  readonly #child: ChildProcess;
  readonly #ticks: number;

  private constructor(child: ChildProcess, ticks: number) {
    this.#child = child;
    this.#ticks = ticks;
  }

  static async start(module: string, name: string, shape: Shape, ticks: number): Promise<Runner> {
    const child = fork(new URL("./packets/child.ts", import.meta.url), [JSON.stringify({ module, name, shape })]);
    await once(child, "message");
    return new Runner(child, ticks);
  }

  async round(): Promise<void> {
    this.#child.send(this.#ticks);
    const [cost] = (await once(this.#child, "message")) as [Cost];
    this.costs.push(cost);
  }

  [Symbol.dispose](): void {
    this.#child.disconnect();
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const perMessage = ({ cpuMicros, messages }: Cost): number => cpuMicros / messages;

/** Median over the rounds of the ratio within each. */
function ratio(a: Runner, b: Runner): number {
  return median(a.costs.slice(WARM_UP).map((cost, i) => perMessage(cost) / perMessage(b.costs[i + WARM_UP] ?? cost)));
}

/** The same of the quarter of the rounds that was disturbed least: on a busy machine the truer figure. */
function calmRatio(a: Runner, b: Runner): number {
  const calm = ({ costs }: Runner): number => {
    const sorted = costs
      .slice(WARM_UP)
      .map(perMessage)
      .toSorted((x, y) => x - y);
    return sorted[sorted.length >> 2] ?? Number.NaN;
  };
  return calm(a) / calm(b);
}

const micros = (runner: Runner): string => `${median(runner.costs.slice(WARM_UP).map(perMessage)).toFixed(2)} µs`;
const heap = (runner: Runner): number =>
  median(runner.costs.slice(WARM_UP).map(({ heapBytes, messages }) => heapBytes / messages));

function row(what: string, a: Runner, b: Runner, target: number, detail = HOW): BenchRow {
  const value = ratio(a, b);
  const lost = a.costs.reduce((sum, cost) => sum + cost.lost, 0);
  const all = `${detail}; lower quartiles ${calmRatio(a, b).toFixed(2)}`;
  return {
    what,
    value: `${value.toFixed(2)} (${micros(a)} to ${micros(b)})`,
    target: `<= ${target}`,
    met: value <= target,
    detail: lost > 0 ? `${all}; ${lost} lost` : all,
  };
}

async function costs(): Promise<BenchRow[]> {
  using raw = await Runner.start("raw", "raw", ALONE, 100);
  using socket = await Runner.start("plain", "socket", ALONE, 100);
  using plain = await Runner.start("plain", "plain", ALONE, 100);
  using session = await Runner.start("session", "unreliable", ALONE, 100);
  using ws = await Runner.start("websocket", "websocket", ALONE, 100);
  using reliable = await Runner.start("session", "reliable", MANY, 40);
  using unreliable = await Runner.start("session", "unreliable", MANY, 40);
  using wsMany = await Runner.start("websocket", "websocket", MANY, 20);
  const runners = [raw, socket, plain, session, ws, reliable, unreliable, wsMany];
  for (let round = 0; round < ROUNDS; round++) for (const runner of runners) await runner.round();

  const many = (runner: Runner): string => {
    const { messages, datagrams } = runner.costs.at(-1) ?? { messages: 0, datagrams: 1 };
    return `${MANY.messages} messages a tick, each way and peer; ${(messages / datagrams).toFixed(1)} in a datagram, whose cipher takes a third`;
  };
  const beyondRaw = heap(session) - heap(raw);
  return [
    row("UDPServer and PacketPeerUDP, CPU per 200 B packet, to raw dgram", plain, raw, 1.05),
    row("UDPSocket alone, CPU per 200 B packet, to raw dgram", socket, raw, 1.05),
    row(
      "session, CPU per encrypted 200 B packet, to raw dgram",
      session,
      raw,
      1.3,
      `${HOW}; the cipher, in WASM, is about a quarter of a raw packet, the rest memory: each packet meets another peer's state`,
    ),
    row(
      "session, CPU per encrypted 200 B packet, to ws",
      session,
      ws,
      0.75,
      `${HOW}; here a raw dgram packet alone costs ${ratio(raw, ws).toFixed(2)} x ws`,
    ),
    row(
      "session, CPU per reliable 64 B message, aggregated and encrypted, to ws",
      reliable,
      wsMany,
      0.15,
      many(reliable),
    ),
    row(
      "session, CPU per unreliable 64 B message, aggregated and encrypted, to ws",
      unreliable,
      wsMany,
      0.15,
      many(unreliable),
    ),
    {
      what: "heap per packet, session beyond raw dgram",
      value: `${beyondRaw.toFixed(0)} B`,
      target: "<= 0",
      met: beyondRaw <= 0,
      detail:
        `allocated per packet sent and received: raw ${heap(raw).toFixed(0)} B, UDPServer ${heap(plain).toFixed(0)} B, ` +
        `session ${heap(session).toFixed(0)} B, ws ${heap(ws).toFixed(0)} B; per aggregated 64 B message: ` +
        `session ${heap(reliable).toFixed(0)} B, ws ${heap(wsMany).toFixed(0)} B`,
    },
  ];
}

export async function rows(): Promise<BenchRow[]> {
  return [...(await costs()), await crowd(), ...(await flood())];
}
