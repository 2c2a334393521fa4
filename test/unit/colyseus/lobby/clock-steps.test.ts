import { expect, test } from "vitest";
import { ClockSteps } from "../../../../sdk/src/colyseus/lobby/clock-steps.ts";
import { type Clock } from "../../../../sdk/src/net/clock.ts";

/** Two clocks, and the one timer that is waited for. */
class Clocks implements Clock {
  ms = 0;
  wall = 1_700_000_000_000;
  waiting: (() => void) | undefined;
  now = (): number => this.ms;
  unixNow = (): number => this.wall;

  after(_ms: number, callback: () => void): () => void {
    this.waiting = callback;
    return () => {
      if (this.waiting === callback) this.waiting = undefined;
    };
  }

  pass(ms: number, stepMs = 0): void {
    this.ms += ms;
    this.wall += ms + stepMs;
    this.waiting?.();
  }
}

test.each([-86_400_000, -3_600_000, -301_000, 301_000, 3_600_000])("a step of %d ms is told once", (stepMs) => {
  const clocks = new Clocks();
  let told = 0;
  new ClockSteps(300_000, clocks).watch(() => told++);
  clocks.pass(5000);
  clocks.pass(5000, stepMs);
  clocks.pass(5000);
  expect(told).toBe(1);
});

test("small steps are told once they add up to more than is tolerated", () => {
  const clocks = new Clocks();
  let told = 0;
  new ClockSteps(300_000, clocks).watch(() => told++);
  for (let i = 0; i < 6; i++) clocks.pass(5000, 60_000);
  expect(told).toBe(1);
});

test("nobody who has left is told, and nothing is watched when all have", () => {
  const clocks = new Clocks();
  const steps = new ClockSteps(1000, clocks);
  const told: string[] = [];
  const leave = steps.watch(() => told.push("a"));
  // One that leaves and comes again while it is told, as a room does.
  let again = steps.watch(() => {
    told.push("b");
    again();
    again = steps.watch(() => told.push("b again"));
  });
  leave();
  clocks.pass(5000, 60_000);
  clocks.pass(5000, 60_000);
  expect(told).toEqual(["b", "b again"]);
  again();
  expect(clocks.waiting).toBeUndefined();
});
