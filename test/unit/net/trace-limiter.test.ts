import { expect, test } from "vitest";
import { TraceLimiter } from "../../../sdk/src/net/trace-limiter.ts";

test("a flood is a few lines a second, and the next line counts what had none", () => {
  const limiter = new TraceLimiter();
  const counts: number[] = [];
  for (let ms = 0; ms < 2000; ms++) counts.push(limiter.take("bad-packet", ms));
  expect(counts.filter((count) => count > 0)).toEqual([1, 1, 1, 998, 1, 1]);
  expect(limiter.take("bad-packet", 3500)).toBe(998);
});

test("one reason's flood does not hide another's line", () => {
  const limiter = new TraceLimiter();
  for (let count = 0; count < 50; count++) limiter.take("bad-packet", 0);
  expect(limiter.take("expired", 0)).toBe(1);
});
