import { describe, expect, test } from "vitest";
import { NetworkConditioner } from "../../../sdk/src/channel/conditioner.ts";
import type { NetworkConditions } from "../../../sdk/src/channel/line-model.ts";

/** Sends packets one per ms, each holding its number. @returns what arrives: number and time. */
function travel(conditions: NetworkConditions, count = 2000, seed = 1, bytes = 4): [number, number][] {
  const line = new NetworkConditioner(conditions, seed);
  const packet = new Uint8Array(bytes);
  const out = new Uint8Array(1500);
  const arrived: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    new DataView(packet.buffer).setUint32(0, i);
    line.send(packet, i);
  }
  for (let due = line.nextDue; due < Infinity; due = line.nextDue) {
    if (line.receive(out, due - 1e-6) !== -1 || line.receive(out, due) !== bytes) throw new Error(`wrong at ${due}`);
    arrived.push([new DataView(out.buffer).getUint32(0), due]);
  }
  return arrived;
}

const numbers = (arrived: [number, number][]): number[] => arrived.map(([n]) => n);
const inOrder = (values: number[]): boolean => values.every((n, i) => i === 0 || n >= (values[i - 1] ?? n));

describe("NetworkConditioner", () => {
  test("without conditions everything arrives at once", () => {
    expect(travel({}, 100)).toEqual(Array.from({ length: 100 }, (_, i) => [i, i]));
  });

  test("delay and jitter keep the order and their bounds", () => {
    const arrived = travel({ delayMs: 30, jitterMs: 20 });
    expect(arrived).toHaveLength(2000);
    expect(inOrder(numbers(arrived))).toBe(true);
    const delays = arrived.map(([n, at]) => at - n);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(30);
    expect(Math.max(...delays)).toBeLessThanOrEqual(50);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(10);
  });

  test.each([1, 5])("loses its share, in runs of %d", (lossBurst) => {
    const arrived = numbers(travel({ loss: 0.1, lossBurst }, 50_000));
    expect(1 - arrived.length / 50_000).toBeCloseTo(0.1, 1);
    const runs = arrived.filter((n, i) => i > 0 && n !== (arrived[i - 1] ?? 0) + 1).length;
    expect((50_000 - arrived.length) / runs).toBeGreaterThan(lossBurst * 0.8);
    expect((50_000 - arrived.length) / runs).toBeLessThan(lossBurst * 1.3);
  });

  test("duplicates and reorders its share", () => {
    const arrived = numbers(travel({ duplicate: 0.2, reorder: 0.1, reorderMs: 10 }, 10_000));
    expect(arrived.length / 10_000).toBeCloseTo(1.2, 1);
    expect(new Set(arrived).size).toBe(10_000);
    expect(inOrder(arrived)).toBe(false);
  });

  test("a slow line queues, and loses what its queue has no room for", () => {
    const arrived = travel({ bytesPerSecond: 50_000, queueBytes: 10_000 }, 1000, 1, 100);
    // 100 bytes a ms come, 50 go; at the end the queue is full.
    expect(arrived.length).toBeGreaterThan(550);
    expect(arrived.length).toBeLessThan(650);
    expect(arrived.at(-1)?.[1]).toBeGreaterThan(1150);
  });

  test("a seed repeats", () => {
    const conditions = { delayMs: 5, jitterMs: 9, loss: 0.1, duplicate: 0.1, reorder: 0.1 };
    expect(travel(conditions, 500, 7)).toEqual(travel(conditions, 500, 7));
    expect(travel(conditions, 500, 7)).not.toEqual(travel(conditions, 500, 8));
  });
});
