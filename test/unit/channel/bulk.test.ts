// How long a large message takes on lines that lose, and what it does to lines that are narrow. Simulated time: nothing here waits.
import { describe, expect, test } from "vitest";
import type { NetworkConditions } from "../../../sdk/src/channel/line-model.ts";
import { Simulation } from "./simulator.ts";

const BYTES = 1 << 20;
const WINDOWS_TICK_MS = 15.625;
const SEEDS = [1, 2, 3, 4, 5];

interface Transfer {
  ms: number;
  packetsLost: number;
  /** Bytes sent for each byte of the message. */
  cost: number;
}

function transfer(seed: number, conditions: NetworkConditions, timerTickMs = 0): Transfer {
  const simulation = new Simulation(seed, conditions);
  simulation.timerTickMs = timerTickMs;
  const begun = simulation.now;
  let ms = Infinity;
  simulation.b.onMessage = ({ at }) => {
    ms = at - begun;
  };
  simulation.a.endpoint.send(new Uint8Array(BYTES), "reliable");
  simulation.flush();
  simulation.runUntil(begun + 120_000);
  const { stats } = simulation.a.endpoint;
  return { ms, packetsLost: stats.packetsLost, cost: stats.bytesSent / BYTES };
}

/** The one in the middle of five seeds. */
function typical(conditions: NetworkConditions, timerTickMs = 0): Transfer {
  const transfers = SEEDS.map((seed) => transfer(seed, conditions, timerTickMs)).sort((a, b) => a.ms - b.ms);
  return transfers[SEEDS.length >> 1] as Transfer;
}

describe("a message of 1 MiB over a round trip of 50 ms", () => {
  test.each([
    [0, 1000],
    [0.02, 5000],
    [0.05, 9000],
  ])("losses of the air (%f) don't keep it from loading", (loss, mostMs) => {
    const { ms, cost } = typical({ delayMs: 25, loss });
    expect(ms).toBeLessThan(mostMs);
    expect(cost).toBeLessThan(1.3);
  });

  test.each([0, 0.02, 0.05])("timers of 15.6 ms, as Windows has them, cost two of them at most (%f lost)", (loss) => {
    const fine = typical({ delayMs: 25, loss });
    const coarse = typical({ delayMs: 25, loss }, WINDOWS_TICK_MS);
    expect(coarse.ms).toBeLessThan(fine.ms * 1.05 + 2 * WINDOWS_TICK_MS);
  });

  test.each<[string, NetworkConditions]>([
    ["with a long queue", { queueBytes: 64 << 10 }],
    ["with a short queue", { queueBytes: 15_000 }],
    ["that loses 2 % besides", { queueBytes: 64 << 10, loss: 0.02 }],
  ])("a line of 5 Mbit/s %s is filled, and not overrun", (_name, queue) => {
    const { ms, packetsLost } = typical({ delayMs: 25, bytesPerSecond: 625_000, ...queue });
    // The line itself takes 1.7 s.
    expect(ms).toBeLessThan(4000);
    expect(packetsLost).toBeLessThan(45);
  });
});
