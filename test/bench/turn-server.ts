/** Our TURN server beside coturn, each in a process of its own: CPU per relayed datagram, and what an allocation weighs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { mintTurnCredentials } from "../../sdk/src/turn/credentials.ts";
import { openTurnRelay } from "../../sdk/src/turn/open.ts";
import type { TurnRelay } from "../../sdk/src/turn/relay.ts";
import { Coturn, coturnPresent } from "../interop/turn/coturn.ts";
import { until } from "../until.ts";
import type { BenchRow } from "./row.ts";

const SECRET = "s3cret";
const LOOPBACK = "127.0.0.1";
/** coturn and we alike refuse our own address but for relays; this one is another machine's. */
const PEER = "127.0.0.2";
const SERVER = fileURLToPath(new URL("./turn-server/server.ts", import.meta.url));
const CLOCK_TICKS_PER_SECOND = 100;
const PLAYERS = 32;
const ROUNDS = 5;
const ROUND_MS = 2000;
const TICK_MS = 10;
const ALLOCATIONS = 1000;

interface Contender {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
};
const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;

async function ours(): Promise<Contender> {
  const child: ChildProcess = spawn(process.execPath, [SERVER, SECRET], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [port] = (await once(child, "message")) as [number];
  return {
    port,
    pid: child.pid ?? 0,
    async close() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function theirs(): Promise<Contender> {
  const coturn = await Coturn.start({ secret: SECRET, args: ["--user-quota=0", "--total-quota=0"] });
  return { port: coturn.port, pid: coturn.pid, close: () => coturn[Symbol.asyncDispose]() };
}

async function relayAt({ port }: Contender, socket: UDPSocket): Promise<TurnRelay> {
  const urls = `turn:${LOOPBACK}:${port}`;
  return await openTurnRelay({ socket, servers: [{ urls, ...mintTurnCredentials(SECRET) }] });
}

interface Load {
  /** Of the server, µs per datagram that it relayed. */
  microsPerDatagram: number;
  delivered: number;
}

/** Datagrams of 200 B by channels: client, server, echoing peer, server, client. */
async function measure(contender: Contender): Promise<() => Promise<Load>> {
  const echo = UDPSocket.open({ address: PEER, receiveBufferSize: 1 << 20 });
  let relayed = 0;
  echo.onDatagram = (data, address, port) => {
    relayed++;
    echo.send(data, port, address);
  };
  const relays: TurnRelay[] = [];
  for (let i = 0; i < PLAYERS; i++) {
    const relay = await relayAt(contender, UDPSocket.open({ address: LOOPBACK }));
    relay.permit(PEER);
    relay.onData = () => relayed++;
    relays.push(relay);
  }
  const payload = Buffer.alloc(200, 7);
  const tick = (): number => {
    for (const relay of relays) relay.send(payload, PEER, echo.localPort);
    return relays.length * 2;
  };
  // Until each has its channel.
  await until(() => (tick(), relayed > PLAYERS * 20), { what: "all relays carry", everyMs: 20 });
  return async () => {
    await sleep(100);
    relayed = 0;
    const before = cpuMs(contender.pid);
    let sent = 0;
    for (const end = performance.now() + ROUND_MS; performance.now() < end; await sleep(TICK_MS)) sent += tick();
    await sleep(100);
    return { microsPerDatagram: ((cpuMs(contender.pid) - before) * 1000) / relayed, delivered: relayed / sent };
  };
}

/** Bytes that a server grows by for each of many allocations. */
async function weigh(contender: Contender): Promise<number> {
  const before = residentBytes(contender.pid);
  const sockets: UDPSocket[] = [];
  const relays: TurnRelay[] = [];
  for (let i = 0; i < ALLOCATIONS; i++) {
    const socket = UDPSocket.open({ address: LOOPBACK });
    sockets.push(socket);
    relays.push(await relayAt(contender, socket));
  }
  const grown = (residentBytes(contender.pid) - before) / ALLOCATIONS;
  await Promise.all(relays.map((relay) => relay.close()));
  await Promise.all(sockets.map((socket) => socket.close()));
  return grown;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export async function rows(): Promise<BenchRow[]> {
  if (!coturnPresent) return [];
  const contenders = [await ours(), await theirs()] as const;
  const [we, they] = contenders;
  try {
    const measures = [await measure(we), await measure(they)] as const;
    const loads: [Load[], Load[]] = [[], []];
    for (let i = 0; i < ROUNDS; i++) {
      for (const which of [0, 1] as const) loads[which].push(await measures[which]());
    }
    const micros = loads.map((each) => median(each.map(({ microsPerDatagram }) => microsPerDatagram)));
    const delivered = loads.map((each) => Math.min(...each.map((load) => load.delivered)));
    const [ourMicros = 0, theirMicros = 0] = micros;
    const weights = [await weigh(we), await weigh(they)].map((bytes) => Math.round(bytes / 1000));
    return [
      {
        what: "TURN server, CPU per relayed datagram of 200 B, to coturn",
        value: `${(ourMicros / theirMicros).toFixed(2)} (${ourMicros.toFixed(1)} µs to ${theirMicros.toFixed(1)} µs)`,
        target: "shown",
        met: true,
        detail: `${PLAYERS} players by channels over UDP, ${Math.round(PLAYERS * 2 * (1000 / TICK_MS))} datagrams a second at the most; a process each, rounds by turns; delivered at the least ${delivered.map((share) => `${(share * 100).toFixed(1)} %`).join(", coturn ")}`,
      },
      {
        what: `TURN server, memory of each of ${ALLOCATIONS} allocations`,
        value: `${weights[0]} kB, coturn ${weights[1]} kB`,
        target: "<= 50 kB",
        met: (weights[0] ?? 0) <= 50,
        detail: "resident; each has a socket of its own",
      },
    ];
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}
