import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../../sdk/src/channel/random.ts";
import { check, MODES, numbered, oneOf, randomTraffic, type Sent, upTo } from "../promises.ts";
import { testSeeds } from "../seeds.ts";
import { type Side, Simulation } from "../simulator.ts";

// Lines on which packets vanish for their length. Seeds as in simulation.test.ts.

function limit(simulation: Simulation, bytes: number, sides: readonly Side[] = [simulation.a, simulation.b]): void {
  for (const { line } of sides) line.conditions = { ...line.conditions, maxPacketBytes: bytes };
}

interface Transfer {
  /** From sending 200 kB to their arrival, in ms. */
  ms: number;
  /** The slowest small message beside it, sent to arrived, in ms. */
  slowestMs: number;
  /** How often packets became shorter. */
  falls: number;
  size: number;
  probes: number;
}

interface TransferOptions {
  rttMs: number;
  carries: number;
  loss?: number;
  /** A small message each way at 60 Hz besides. */
  play?: boolean;
  /** As 200 messages instead of one. */
  whole?: boolean;
  seed?: number;
}

function transfer({ rttMs, carries, loss = 0, play = false, whole = false, seed = 1 }: TransferOptions): Transfer {
  const simulation = new Simulation(seed, { delayMs: rttMs / 2, loss, maxPacketBytes: carries });
  const { a, b } = simulation;
  const result: Transfer = { ms: 0, slowestMs: 0, falls: 0, size: 1200, probes: 0 };
  const expected = whole ? 200 : 1;
  let arrived = 0;
  b.onMessage = ({ data, channel, at }) => {
    if (channel === 0) result.slowestMs = Math.max(result.slowestMs, at - new DataView(data.buffer).getFloat64(0));
    else if (++arrived === expected) result.ms = at - 1000;
  };
  simulation.at(1000, () => {
    for (let n = 0; n < expected; n++) {
      expect(a.endpoint.send(new Uint8Array(200_000 / expected), "reliable", { channel: 1 })).toBe(true);
    }
  });
  const tick = (): void => {
    const data = new Uint8Array(20);
    new DataView(data.buffer).setFloat64(0, simulation.now);
    if (play) for (const { endpoint } of [a, b]) endpoint.send(data, "reliable");
    const { maxPacketBytes } = a.endpoint.stats;
    if (maxPacketBytes < result.size) result.falls++;
    result.size = maxPacketBytes;
    if (result.ms === 0 && simulation.now < 100_000) simulation.at(simulation.now + 1000 / 60, tick);
  };
  simulation.at(1000, tick);
  simulation.runUntil(200_000);
  result.probes = a.endpoint.stats.mtuProbes;
  return result;
}

describe("200 kB", () => {
  // What comes on top of the time on a path that carries all: the first burst vanishes (10 packets), the first probe timeout
  // finds nothing arrived (200 ms, as no round trip is known), then two round trips to the verdict, three until it is certain that it was
  // no congestion.
  test.each([2, 50, 150])("arrive at a round trip of %d ms, with little delay, where packets vanish", (rttMs) => {
    const whole = transfer({ rttMs, carries: 1200 });
    expect(whole).toMatchObject({ falls: 0, size: 1200, probes: 0 });
    for (const carries of [1147, 1053, 600, 512]) {
      const { ms, falls, size } = transfer({ rttMs, carries });
      expect(ms).toBeLessThan(whole.ms + 250 + 7 * rttMs);
      expect(falls).toBe(1);
      expect(size).toBeLessThanOrEqual(carries);
    }
  });

  test.each([2, 50, 150])("and don't delay small messages at a round trip of %d ms by a tick", (rttMs) => {
    const whole = transfer({ rttMs, carries: 1200, play: true });
    for (const carries of [1147, 1053, 600, 512]) {
      const { ms, slowestMs, falls } = transfer({ rttMs, carries, play: true });
      expect(ms).toBeLessThan(whole.ms + 50 + 7 * rttMs);
      expect(slowestMs).toBeLessThan(rttMs / 2 + 1);
      expect(falls).toBe(1);
    }
  });

  test.each([2, 50, 150])("nor do they stall as messages of 1000 bytes, at a round trip of %d ms", (rttMs) => {
    const all = transfer({ rttMs, carries: 1200, whole: true });
    for (const carries of [900, 600, 512]) {
      const { ms } = transfer({ rttMs, carries, whole: true });
      // Sent whole, they are lost whole: each needs slices, and the first burst of them goes three times.
      expect(ms).toBeLessThan(all.ms + 500 + 12 * rttMs);
    }
  });

  test.each([0.05, 0.1, 0.2])(
    "arrive with %d loss besides, in a time of the same order",
    { timeout: 60_000 },
    (loss) => {
      const mean = (carries: number, play: boolean): number => {
        const times = Array.from(
          { length: 20 },
          (_, n) => transfer({ rttMs: 50, carries, loss, play, seed: n + 1 }).ms,
        );
        expect(Math.min(...times)).toBeGreaterThan(0);
        return times.reduce((sum, ms) => sum + ms, 0) / times.length;
      };
      for (const play of [false, true]) {
        const whole = mean(1200, play);
        for (const carries of [1147, 600]) expect(mean(carries, play)).toBeLessThan(1.5 * whole + 1000);
      }
    },
  );
});

describe("losses that are not for their length", () => {
  test.each([
    [0.05, 0],
    [0.1, 1],
  ])(
    "at %d loss, 20 MB lower the size at most %d times, for less than a second",
    { timeout: 120_000 },
    (loss, most) => {
      let falls = 0;
      for (let seed = 1; seed <= 50; seed++) {
        for (const play of [false, true]) {
          const result = transfer({ rttMs: 20, carries: 1200, loss, play, seed });
          falls += result.falls;
          expect(result.ms).toBeGreaterThan(0);
        }
      }
      expect(falls).toBeLessThanOrEqual(most);
    },
  );

  test("a queue that overflows again and again does not, either", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const simulation = new Simulation(seed, { delayMs: 20, bytesPerSecond: 500_000, queueBytes: 3000 });
      let lowest = 1200;
      const { a, b } = simulation;
      const watch = (): void => {
        lowest = Math.min(lowest, a.endpoint.stats.maxPacketBytes);
        if (b.arrived.length < 1) simulation.at(simulation.now + 1, watch);
      };
      simulation.at(1000, () => a.endpoint.send(new Uint8Array(2 << 20), "reliable"));
      simulation.at(1000, watch);
      simulation.runUntil(60_000);
      expect(b.arrived).toHaveLength(1);
      expect(a.endpoint.stats.packetsLost).toBeGreaterThan(30);
      expect(lowest).toBe(1200);
    }
  });

  test("lost probes are no losses: neither the window shrinks nor the path counts as lossy", () => {
    const simulation = new Simulation(1, { delayMs: 10, maxPacketBytes: 600 });
    const { endpoint } = simulation.a;
    simulation.at(1000, () => endpoint.send(new Uint8Array(20_000), "reliable"));
    simulation.runUntil(20_000);
    // What is sent from here on has probes to carry along, all of which are lost.
    const before = { ...endpoint.stats };
    for (let n = 0; n < 300; n++) simulation.at(20_000 + n * 20, () => endpoint.send(new Uint8Array(50), "reliable"));
    expect(simulation.runUntil(100_000)).toBe(true);
    const { mtuProbes, packetsLost, loss, congestionWindow, redundantBytes } = endpoint.stats;
    expect(mtuProbes).toBeGreaterThan(before.mtuProbes + 2);
    expect({ packetsLost, loss: Math.round(loss * 1e6), redundantBytes }).toEqual({
      packetsLost: before.packetsLost,
      loss: Math.round(before.loss * (1 - 1 / 64) ** 300 * 1e6),
      redundantBytes: before.redundantBytes,
    });
    expect(congestionWindow).toBeGreaterThanOrEqual(before.congestionWindow);
  });
});

describe("a path that changes", () => {
  /** A session that plays at 60 Hz; @returns the size at each time asked for, in ms after the start. */
  function play(simulation: Simulation, bytes: number, untilMs: number): void {
    for (let at = 1000; at < 1000 + untilMs; at += 1000 / 60) {
      simulation.at(at, () => simulation.a.endpoint.send(new Uint8Array(bytes), "unreliable"));
    }
  }

  test("to less in mid-session, with snapshots of 1000 bytes and nothing else: a second, and they arrive again", () => {
    const simulation = new Simulation(1, { delayMs: 25 });
    const { a, b } = simulation;
    // A wide window, so that hundreds of packets could go before it is full.
    simulation.at(1000, () => a.endpoint.send(new Uint8Array(2 << 20), "reliable", { channel: 1 }));
    play(simulation, 1000, 9000);
    simulation.at(6000, () => limit(simulation, 900));
    simulation.runUntil(6000);
    expect(a.endpoint.stats.congestionWindow).toBeGreaterThan(200_000);
    const before = b.arrived.length;
    simulation.runUntil(7000);
    expect(a.endpoint.stats.maxPacketBytes).toBeLessThanOrEqual(900);
    simulation.runUntil(9000);
    expect(b.arrived.length - before).toBeGreaterThan(110);
    expect(a.endpoint.stats.maxPacketBytes).toBeGreaterThan(868);
  });

  test("to less, with snapshots that are put together to 900 bytes: they part at the first loss, before the verdict", () => {
    const simulation = new Simulation(1, { delayMs: 75 });
    const { a, b } = simulation;
    for (let n = 0; n < 3; n++) play(simulation, 300, 5000);
    simulation.at(3000, () => limit(simulation, 700));
    let verdictAt = 0;
    const watch = (): void => {
      if (a.endpoint.stats.maxPacketBytes < 1200) verdictAt = simulation.now;
      else simulation.at(simulation.now + 1, watch);
    };
    simulation.at(3000, watch);
    expect(simulation.runUntil(60_000)).toBe(true);
    // Of those put together only what had room by chance: a snapshot, when the window was almost full.
    expect(b.arrived.filter(({ at }) => at > 3100 && at < verdictAt).length).toBeGreaterThanOrEqual(9);
  });

  test("to more is found out within 10 s if it plays, and costs an idle one nothing", () => {
    const simulation = new Simulation(1, { delayMs: 25, maxPacketBytes: 600 });
    const { endpoint } = simulation.a;
    simulation.at(1000, () => endpoint.send(new Uint8Array(50_000), "reliable"));
    simulation.at(5000, () => limit(simulation, 1200));
    expect(simulation.runUntil(60_000)).toBe(true);
    const { mtuProbes, maxPacketBytes } = endpoint.stats;
    expect(maxPacketBytes).toBeLessThanOrEqual(600);
    simulation.at(60_000, () => endpoint.send(new Uint8Array(50), "reliable"));
    simulation.runUntil(61_000);
    expect(endpoint.stats).toMatchObject({ maxPacketBytes: 1200, mtuProbes: mtuProbes + 1 });
  });

  test("to more is found out soon with loss besides, too", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const simulation = new Simulation(seed, { delayMs: 25, loss: 0.1, maxPacketBytes: 600 });
      play(simulation, 1000, 40_000);
      simulation.runUntil(5000);
      expect(simulation.a.endpoint.stats.maxPacketBytes).toBeLessThanOrEqual(600);
      limit(simulation, 1200);
      simulation.runUntil(40_000);
      expect(simulation.a.endpoint.stats.maxPacketBytes).toBe(1200);
    }
  });

  test("for another one is measured at once", () => {
    const simulation = new Simulation(1, { delayMs: 25, maxPacketBytes: 600 });
    const { endpoint } = simulation.a;
    simulation.at(1000, () => endpoint.send(new Uint8Array(50_000), "reliable"));
    simulation.runUntil(5000);
    simulation.at(5000, () => {
      limit(simulation, 1200);
      for (const side of [simulation.a, simulation.b]) side.endpoint.pathChanged(simulation.now);
    });
    simulation.runUntil(5000 + 2 * 50 + 10);
    expect(endpoint.stats.maxPacketBytes).toBe(1200);
  });

  test("the sizes of both directions are their own", () => {
    const simulation = new Simulation(1, { delayMs: 25 });
    const { a, b } = simulation;
    limit(simulation, 700, [b]);
    for (const { endpoint } of [a, b]) simulation.at(1000, () => endpoint.send(new Uint8Array(100_000), "reliable"));
    simulation.runUntil(10_000);
    expect([a.arrived.length, b.arrived.length]).toEqual([1, 1]);
    expect([a.endpoint.stats.maxPacketBytes, a.endpoint.stats.mtuProbes]).toEqual([1200, 0]);
    expect(b.endpoint.stats.maxPacketBytes).toBeLessThanOrEqual(700);
  });

  test.each(MODES)("messages of 1000 bytes that waited or were lost whole go in slices (%s)", (mode) => {
    const simulation = new Simulation(1, { delayMs: 25 });
    const { a, b } = simulation;
    const sent: Sent[] = [];
    const send = (): void => {
      const data = numbered(sent.length, 1000);
      expect(a.endpoint.send(data, mode, { channel: 3 })).toBe(true);
      sent.push({ data, mode, channel: 3 });
    };
    simulation.at(1000, send);
    simulation.at(1500, () => limit(simulation, 550));
    for (let n = 0; n < 100; n++) simulation.at(1500 + 30 * n, send);
    expect(simulation.runUntil(60_000)).toBe(true);
    check(sent, b);
    expect(b.arrived.length).toBeGreaterThan(75);
    expect(a.endpoint.stats).toMatchObject({ bufferedBytes: 0, bytesInFlight: 0 });
  });

  test("whole messages and their slices may meet in any order: each is delivered once, and forgotten once", {
    timeout: 60_000,
  }, () => {
    for (let seed = 1; seed <= 200; seed++) {
      // Packets are late rather than lost, by so much that the same message is under way whole and in slices.
      const simulation = new Simulation(seed, { delayMs: 10, reorder: 0.6, reorderMs: 1500, loss: 0.1 });
      const { a, b } = simulation;
      const random = seededRandom(seed);
      const sent: Sent[] = [];
      for (let n = 0; n < 60; n++) {
        simulation.at(1000 + random() * 1000, () => {
          const mode = oneOf(random, ["reliable", "reliable-unordered"] as const);
          const data = numbered(sent.length, 400 + upTo(random, 700));
          sent.push({ data, mode, channel: 0 });
          a.endpoint.send(data, mode);
        });
      }
      simulation.at(1200, () => limit(simulation, 560));
      simulation.at(1900, () => limit(simulation, 1200));
      if (!simulation.runUntil(3_600_000)) throw new Error(`seed ${seed} goes on`);
      check(sent, b);
      expect(a.endpoint.stats).toMatchObject({ bufferedBytes: 0, bytesInFlight: 0 });
    }
  });
});

testSeeds("lengths that change both ways, with loss and reordering", 300, run);

function run(seed: number): void {
  const random = seededRandom(seed);
  const delayMs = oneOf(random, [0, 5, 25, 75]);
  const loss = oneOf(random, [0, 0.01, 0.05, 0.2]);
  const reorder = oneOf(random, [0, 0, 0.1]);
  const simulation = new Simulation(seed, { delayMs, loss, reorder, reorderMs: oneOf(random, [5, 300]) });
  const { a, b } = simulation;
  const fromA = randomTraffic(simulation, a, random, 60_000);
  const fromB = randomTraffic(simulation, b, random, 60_000);
  for (let n = upTo(random, 4); n >= 0; n--) {
    const sides = oneOf(random, [[a], [b], [a, b]]);
    const carries = oneOf(random, [512, 513, 560, 700, 1000, 1147, 1200]);
    const moved = random() < 0.3;
    simulation.at(1000 + random() * oneOf(random, [1, 4000]), () => {
      limit(simulation, carries, sides);
      if (moved) for (const { endpoint } of [a, b]) endpoint.pathChanged(simulation.now);
    });
  }
  const idle = simulation.runUntil(600_000);
  check(fromA, b);
  check(fromB, a);
  if (!idle) throw new Error("ten minutes later something is still going on");
  const newest = Math.max(...[...a.arrived, ...b.arrived].map(({ at }) => at));
  if (newest > 60_000) throw new Error(`it took until ${newest}`);
  for (const { endpoint } of [a, b]) {
    expect(endpoint.stats).toMatchObject({ bufferedBytes: 0, bytesInFlight: 0, receiveBufferedBytes: 0 });
  }
}
