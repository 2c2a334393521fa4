import { expect, test } from "vitest";
import { ReceiveWindow, WindowBudget } from "../../../../sdk/src/tunnel/streams/window.ts";
import { FIRST_WINDOW_BYTES } from "../../../../sdk/src/tunnel/wire/protocol.ts";

function open(budget = new WindowBudget(1 << 30)): ReceiveWindow {
  const window = ReceiveWindow.open(budget, 0);
  if (window === undefined) throw new Error("no room");
  return window;
}

test("what was allowed may come, and not a byte more", () => {
  const window = open();
  expect(window.received(FIRST_WINDOW_BYTES)).toBe(true);
  expect(window.received(1)).toBe(false);
});

test("a reader is told of in halves of the window", () => {
  const window = open();
  window.received(FIRST_WINDOW_BYTES);
  const half = FIRST_WINDOW_BYTES / 2;
  expect(window.consumed(half - 1, 10_000)).toBe(0);
  expect(window.consumed(1, 10_000)).toBe(half);
  expect(window.received(half)).toBe(true);
  expect(window.received(1)).toBe(false);
});

test("a fast reader gets a window twice as wide, up to 2 MiB; a slow one does not", () => {
  const window = open();
  for (let now = 0; now < 1000; now += 10) {
    const bytes = window.size / 2;
    window.received(bytes);
    expect(window.consumed(bytes, now)).toBeGreaterThan(0);
  }
  expect(window.size).toBe(2 << 20);
  const slow = open();
  for (let now = 1000; now < 100_000; now += 1000) {
    slow.received(FIRST_WINDOW_BYTES / 2);
    slow.consumed(FIRST_WINDOW_BYTES / 2, now);
  }
  expect(slow.size).toBe(FIRST_WINDOW_BYTES);
});

test("windows grow within their budget, and give it back", () => {
  const budget = new WindowBudget(3 * FIRST_WINDOW_BYTES);
  const [first, second] = [open(budget), open(budget)];
  first.received(FIRST_WINDOW_BYTES);
  first.consumed(FIRST_WINDOW_BYTES, 1);
  expect(first.size).toBe(2 * FIRST_WINDOW_BYTES);
  second.received(FIRST_WINDOW_BYTES);
  second.consumed(FIRST_WINDOW_BYTES, 1);
  expect(second.size).toBe(FIRST_WINDOW_BYTES);
  expect(ReceiveWindow.open(budget, 0)).toBeUndefined();
  first.close();
  first.close();
  second.close();
  expect(budget.bytes).toBe(0);
});
