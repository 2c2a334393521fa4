import { pathToFileURL } from "node:url";
import { MessageEndpoint } from "../../sdk/src/channel/endpoint.ts";
import type { NetworkConditions } from "../../sdk/src/channel/line-model.ts";
import type { DeliveryMode } from "../../sdk/src/channel/wire/types.ts";
import { Simulation } from "../unit/channel/simulator.ts";

export interface BenchRow {
  what: string;
  value: string;
  target: string;
  met: boolean;
  detail?: string;
}

const CLIENTS = 20;
const HZ = 60;
const SECONDS = 60;
const MESSAGE_BYTES = 200;
const LOOPBACK: NetworkConditions = { delayMs: 0.1, jitterMs: 0.3 };
const INTERNET: NetworkConditions = { delayMs: 22, jitterMs: 6 };

interface Latency {
  p50: number;
  p99: number;
  p999: number;
  packetsPerMessage: number;
  bytesPerMessage: number;
}

/** One way, in simulated time: each client and the server send each other a message a tick, and flush it. */
function latency(conditions: NetworkConditions, mode: DeliveryMode): Latency {
  const delays: number[] = [];
  let packets = 0;
  let bytes = 0;
  const count = HZ * SECONDS;
  for (let client = 0; client < CLIENTS; client++) {
    const simulation = new Simulation(client + 1, conditions);
    const { a, b } = simulation;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const phase = 1000 + (simulation.random() * 1000) / HZ;
      to.onMessage = ({ data, at }) => delays.push(at - new DataView(data.buffer).getFloat64(0));
      for (let i = 0; i < count; i++) {
        simulation.at(phase + (i * 1000) / HZ, () => {
          const data = new Uint8Array(MESSAGE_BYTES);
          new DataView(data.buffer).setFloat64(0, simulation.now);
          from.endpoint.send(data, mode);
        });
      }
    }
    simulation.runUntil(1_000_000);
    for (const { endpoint } of [a, b]) {
      packets += endpoint.stats.packetsSent;
      bytes += endpoint.stats.bytesSent;
    }
  }
  delays.sort((x, y) => x - y);
  const quantile = (q: number): number => delays[Math.min(Math.floor(delays.length * q), delays.length - 1)] ?? NaN;
  const messages = 2 * count * CLIENTS;
  return {
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    packetsPerMessage: packets / messages,
    bytesPerMessage: bytes / messages,
  };
}

/** CPU time of sending, polling, receiving and acknowledging, both ways, in ns per message. */
function cpuPerMessage(bytes: number, perTick: number, mode: DeliveryMode): number {
  let received = 0;
  const handler = { message: (): void => void received++ };
  const ends = [new MessageEndpoint({}, handler), new MessageEndpoint({}, handler)] as const;
  const packet = new Uint8Array(1200);
  const data = new Uint8Array(bytes);
  let now = 0;
  const tick = (): void => {
    now += 16;
    for (const [i, from] of ends.entries()) {
      for (let n = 0; n < perTick; n++) from.send(data, mode);
      for (let length = from.poll(packet, now); length > 0; length = from.poll(packet, now)) {
        ends[1 - i]?.receive(packet.subarray(0, length), now);
      }
    }
  };
  const ticks = Math.ceil(400_000 / perTick);
  for (let i = 0; i < ticks / 4; i++) tick();
  received = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < ticks; i++) tick();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / received;
}

/** How long a large message takes, in simulated ms. */
function bulkMs(seed: number, loss: number): number {
  const simulation = new Simulation(seed, { delayMs: 25, loss });
  const begun = simulation.now;
  let took = Number.NaN;
  simulation.b.onMessage = ({ at }) => {
    took = at - begun;
  };
  simulation.a.endpoint.send(new Uint8Array(1 << 20), "reliable");
  simulation.flush();
  simulation.runUntil(begun + 120_000);
  return took;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const ms = (value: number): string => `${value.toFixed(1)} ms`;

/** Everything here is measured without sockets; `npm run bench` has the rows with them. */
export async function rows(): Promise<BenchRow[]> {
  const result: BenchRow[] = [];
  for (const loss of [0, 0.02, 0.05]) {
    const { p50, p99, p999, packetsPerMessage, bytesPerMessage } = latency({ ...LOOPBACK, loss }, "reliable");
    result.push({
      what: `reliable, ${loss * 100} % loss, loopback (simulated, ${CLIENTS} clients, ${HZ} Hz, ${MESSAGE_BYTES} B)`,
      value: `p99 ${ms(p99)}, p99.9 ${ms(p999)}`,
      target: "p99 <= 20 ms, p99.9 <= 40 ms",
      met: p99 <= 20 && p999 <= 40,
      detail: `p50 ${ms(p50)}; ${packetsPerMessage.toFixed(2)} packets and ${bytesPerMessage.toFixed(0)} B sent per message`,
    });
  }
  for (const [loss, mode] of [
    [0.02, "reliable"],
    [0.05, "reliable"],
    [0.05, "reliable-unordered"],
  ] as const) {
    const { p50, p99, p999, packetsPerMessage, bytesPerMessage } = latency({ ...INTERNET, loss }, mode);
    result.push({
      what: `${mode}, ${loss * 100} % loss, round trip 50 ms (simulated)`,
      value: `p99 ${ms(p99)}, p99.9 ${ms(p999)}`,
      target: "none: one way is 25 ms",
      met: true,
      detail: `p50 ${ms(p50)}; ${packetsPerMessage.toFixed(2)} packets and ${bytesPerMessage.toFixed(0)} B sent per message`,
    });
  }
  for (const loss of [0, 0.02, 0.05]) {
    result.push({
      what: `a message of 1 MiB, ${loss * 100} % loss, round trip 50 ms (simulated)`,
      value: `${(median([1, 2, 3, 4, 5].map((seed) => bulkMs(seed, loss))) / 1000).toFixed(1)} s`,
      target: "none alone",
      met: true,
    });
  }
  const shapes = [
    [64, 16, "reliable"],
    [64, 16, "unreliable"],
    [200, 1, "reliable"],
    [200, 1, "unreliable"],
  ] as const;
  for (const [bytes, perTick, mode] of shapes) {
    // The least of three: what else runs on the machine only ever adds.
    const ns = Math.min(...[1, 2, 3].map(() => cpuPerMessage(bytes, perTick, mode)));
    result.push({
      what: `channel's CPU per ${mode} message of ${bytes} B, ${perTick === 1 ? "alone in its packet" : `${perTick} a packet`}`,
      value: `${(ns / 1000).toFixed(2)} µs`,
      target: "none alone",
      met: true,
      detail: "sent, polled, received, acknowledged; no socket, no encryption",
    });
  }
  return result;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { what, value, target, met, detail } of await rows()) {
    console.log(`${met ? "ok    " : "MISSED"} ${what}: ${value} (target: ${target})\n         ${detail ?? ""}`);
  }
}
