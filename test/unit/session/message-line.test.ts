import { describe, expect, test } from "vitest";
import type { NetworkConditions } from "../../../sdk/src/channel/line-model.ts";
import { MessageLine } from "../../../sdk/src/session/message-line.ts";

/** A clock that only `run` moves, and the timers on it. */
class Clock {
  now = 0;
  readonly #timers: { at: number; order: number; work: () => void }[] = [];
  #order = 0;

  readonly later = (work: () => void, ms: number): void => {
    this.#timers.push({ at: this.now + ms, order: this.#order++, work });
  };

  run(): void {
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#timers.shift();
      if (next === undefined) return;
      this.now = Math.max(this.now, next.at);
      next.work();
    }
  }
}

/** One message every 10 ms. @returns number and time of arrival */
function travel(conditions: NetworkConditions, count = 2000): [number, number][] {
  const clock = new Clock();
  const line = new MessageLine(conditions, { now: () => clock.now, later: clock.later, seed: 1 });
  const arrived: [number, number][] = [];
  for (let n = 0; n < count; n++) clock.later(() => line.send(50, () => arrived.push([n, clock.now])), n * 10);
  clock.run();
  return arrived;
}

const delays = (arrived: [number, number][]): number[] => arrived.map(([n, at]) => at - 10 * n);
const share = (values: readonly number[], wanted: (value: number) => boolean): number =>
  values.filter(wanted).length / values.length;

describe("MessageLine", () => {
  test("without conditions a message arrives within the call", () => {
    const line = new MessageLine({}, { now: () => 0, later: () => expect.unreachable() });
    let arrived = 0;
    line.send(10, () => arrived++);
    expect(arrived).toBe(1);
  });

  test("delay and jitter within their bounds, in order", () => {
    const arrived = travel({ delayMs: 30, jitterMs: 20 });
    expect(arrived.map(([n]) => n)).toEqual(Array.from({ length: 2000 }, (_, n) => n));
    // Those that are due within a millisecond arrive together.
    expect(Math.min(...delays(arrived))).toBeGreaterThanOrEqual(29);
    expect(Math.max(...delays(arrived))).toBeLessThanOrEqual(51);
  });

  test("a message is never lost: it waits for the retransmission, and those behind it wait too", () => {
    const conditions = { delayMs: 30, loss: 0.05 };
    const arrived = travel(conditions, 5000);
    expect(arrived.map(([n]) => n)).toEqual(Array.from({ length: 5000 }, (_, n) => n));
    const late = share(delays(arrived), (ms) => ms > 31);
    // 5 % are lost; each holds up the eight that are sent in the 80 ms until it is sent again.
    expect(late).toBeGreaterThan(0.2);
    expect(late).toBeLessThan(0.5);
    expect(Math.max(...delays(arrived))).toBeGreaterThan(30 + 80);
  });

  test("all is lost: messages come late, none is kept for ever", () => {
    const arrived = travel({ loss: 1 }, 20);
    expect(arrived).toHaveLength(20);
  });

  test("a line that becomes good again keeps what is on its way in order", () => {
    const clock = new Clock();
    const line = new MessageLine({ delayMs: 50 }, { now: () => clock.now, later: clock.later, seed: 1 });
    const order: number[] = [];
    line.send(10, () => order.push(1));
    line.conditions = {};
    line.send(10, () => order.push(2));
    clock.run();
    line.send(10, () => order.push(3));
    expect(order).toEqual([1, 2, 3]);
  });
});
