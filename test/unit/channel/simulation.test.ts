import { describe, expect, test } from "vitest";
import type { NetworkConditions } from "../../../sdk/src/channel/line-model.ts";
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import type { MessageEndpointOptions } from "../../../sdk/src/channel/wire/types.ts";
import { check, MODES, numbered, numberOf, oneOf, type Random, randomTraffic, type Sent } from "./promises.ts";
import { testSeeds } from "./seeds.ts";
import { type Arrived, Simulation } from "./simulator.ts";

// Two endpoints over lines of every kind, in simulated time. A seed that fails is named; run it alone with
// SALLYPORT_SEED=n. All of them: SALLYPORT_FUZZ_RUNS=10000 npm exec -- vitest run --project unit test/unit/channel

function randomLine(random: Random): NetworkConditions {
  const conditions: NetworkConditions = {
    delayMs: oneOf(random, [0, 1, 10, 50, 150]),
    jitterMs: oneOf(random, [0, 1, 20]),
    loss: oneOf(random, [0, 0.01, 0.05, 0.2, 0.5]),
    lossBurst: oneOf(random, [1, 1, 4]),
    duplicate: oneOf(random, [0, 0, 0.1, 0.5]),
    reorder: oneOf(random, [0, 0, 0.1, 0.5]),
    // Two seconds are further than the 256 packets that are remembered.
    reorderMs: oneOf(random, [2, 50, 2000]),
  };
  if (random() < 0.2) conditions.bytesPerSecond = oneOf(random, [20_000, 200_000]);
  return conditions;
}

function run(seed: number): void {
  const random = seededRandom(seed);
  const options: MessageEndpointOptions = { maxPacketBytes: oneOf(random, [1200, 1200, 600, 256]) };
  const simulation = new Simulation(seed, randomLine(random), options);
  simulation.b.line.conditions = randomLine(random);
  const fromA = randomTraffic(simulation, simulation.a, random, 60_000);
  const fromB = randomTraffic(simulation, simulation.b, random, 60_000);
  if (random() < 0.3) {
    for (let i = 0; i < 3; i++) {
      const side = random() < 0.5 ? simulation.a : simulation.b;
      const jump = (random() - 0.5) * oneOf(random, [20, 5000, 7_200_000]);
      simulation.at(1000 + random() * 3000, () => (side.clockOffset += jump));
    }
  }
  const idle = simulation.runUntil(3_600_000);
  check(fromA, simulation.b);
  check(fromB, simulation.a);
  if (!idle) throw new Error("an hour later something is still going on");
  for (const { endpoint } of [simulation.a, simulation.b]) {
    expect(endpoint.stats).toMatchObject({ bufferedBytes: 0, bytesInFlight: 0, receiveBufferedBytes: 0 });
  }
}

describe("two endpoints over a bad line", () => {
  testSeeds("every promise is kept, every stall ends", 500, run);

  test("sequences and ids wrap", { timeout: 60_000 }, () => {
    const simulation = new Simulation(1, { delayMs: 3, loss: 0.02, reorder: 0.02, duplicate: 0.02 });
    const count = 70_000;
    let next = 0;
    let newest = -1;
    let sent = 0;
    simulation.b.onMessage = ({ data, mode }: Arrived) => {
      if (mode === "reliable") expect(numberOf(data)).toBe(next++);
      else {
        expect(numberOf(data)).toBeGreaterThan(newest);
        newest = numberOf(data);
      }
    };
    const step = (): void => {
      simulation.a.endpoint.send(numbered(sent, 4), "reliable");
      simulation.a.endpoint.send(numbered(sent, 4), "unreliable-sequenced");
      if (++sent < count) simulation.at(simulation.now + 1, step);
    };
    simulation.at(1000, step);
    expect(simulation.runUntil(10_000_000)).toBe(true);
    expect(next).toBe(count);
    expect(newest).toBeGreaterThan(count - 100);
    expect(simulation.a.endpoint.stats.packetsSent).toBeGreaterThan(65_536);
  });

  test("reordering beyond the 256 packets that are remembered", () => {
    const simulation = new Simulation(2, { delayMs: 5, reorder: 0.2, reorderMs: 2000 });
    const sent: Sent[] = [];
    for (let i = 0; i < 3000; i++) {
      const mode = MODES[i % 4] ?? "reliable";
      simulation.at(1000 + i, () => {
        sent.push({ data: numbered(i, 20), mode, channel: 0 });
        expect(simulation.a.endpoint.send(numbered(i, 20), mode)).toBe(true);
      });
    }
    expect(simulation.runUntil(1_000_000)).toBe(true);
    check(sent, simulation.b);
    expect(simulation.b.endpoint.stats.packetsDropped).toBeGreaterThan(100);
    expect(simulation.a.endpoint.stats.packetsSpuriouslyLost).toBeGreaterThan(10);
  });

  test("after a blackout of 30 s the next second brings everything", () => {
    const simulation = new Simulation(3, { delayMs: 20 });
    const sent = Array.from(
      { length: 300 },
      (_, i): Sent => ({ data: numbered(i, 150), mode: "reliable", channel: 0 }),
    );
    for (const [i, { data }] of sent.entries()) {
      simulation.at(1000 + i * 100, () => expect(simulation.a.endpoint.send(data, "reliable")).toBe(true));
    }
    const lose = (loss: number): void => {
      simulation.a.line.conditions = { delayMs: 20, loss };
      simulation.b.line.conditions = { delayMs: 20, loss };
    };
    simulation.at(3000, () => lose(1));
    simulation.at(33_000, () => lose(0));
    simulation.runUntil(34_500);
    check(sent, simulation.b);
  });

  test("on another path the conversation goes on at once, however long the old one was dead", () => {
    const simulation = new Simulation(4, { delayMs: 20 });
    const { a, b } = simulation;
    const sent: Sent[] = [];
    for (let i = 0; i < 50; i++) {
      simulation.at(1000 + i * 100, () => {
        sent.push({ data: numbered(i, 100), mode: "reliable", channel: 0 });
        expect(a.endpoint.send(numbered(i, 100), "reliable")).toBe(true);
      });
    }
    simulation.at(2000, () => (a.line.conditions = b.line.conditions = { loss: 1 }));
    simulation.at(60_010, () => {
      a.line.conditions = b.line.conditions = { delayMs: 30 };
      a.endpoint.pathChanged(simulation.now);
      b.endpoint.pathChanged(simulation.now);
    });
    simulation.runUntil(60_000);
    expect(b.arrived.length).toBeLessThan(15);
    // Two round trips on the new path, and the acknowledgements' delay.
    simulation.runUntil(60_010 + 2 * 60 + 10);
    check(sent, b);
    expect(a.endpoint.stats.rttMs).toBeLessThan(70);
  });

  test("a large transfer does not delay a small message", () => {
    const simulation = new Simulation(5, { delayMs: 15, bytesPerSecond: 1_250_000 });
    const large = numbered(0, 1 << 20);
    const delays: number[] = [];
    let transferred = 0;
    simulation.b.onMessage = ({ data, channel, at }) => {
      if (channel === 0) delays.push(at - new DataView(data.buffer).getFloat64(0));
      else if (Buffer.compare(data, large) === 0) transferred = at;
    };
    simulation.at(1000, () => expect(simulation.a.endpoint.send(large, "reliable", { channel: 1 })).toBe(true));
    const jump = (): void => {
      const data = new Uint8Array(8);
      new DataView(data.buffer).setFloat64(0, simulation.now);
      simulation.a.endpoint.send(data, "reliable");
      if (transferred === 0) simulation.at(simulation.now + 16, jump);
    };
    simulation.at(1010, jump);
    simulation.runUntil(100_000);
    expect(transferred).toBeGreaterThan(0);
    // 10 Mbit/s: the line alone takes 840 ms; what a jump waits for is the line's queue, not the transfer.
    expect(transferred - 1000).toBeLessThan(1500);
    expect(Math.max(...delays)).toBeLessThan(100);
  });
});
