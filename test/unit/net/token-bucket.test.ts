import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RateLimiter, TokenBucket } from "../../../sdk/src/net/token-bucket.ts";

test("grants the burst, then as many as time brings", () => {
  const limiter = new RateLimiter({ burst: 3, perSecond: 2 });
  expect([0, 0, 0, 0].map((now) => limiter.take("a", now))).toEqual([true, true, true, false]);
  expect(limiter.take("a", 499)).toBe(false);
  expect([0, 0, 0].map(() => limiter.take("a", 1000))).toEqual([true, true, false]);
  expect(limiter.take("b", 1000)).toBe(true);
});

test("a clock that goes back gives nothing away", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 1 });
  expect(limiter.take("a", 10_000)).toBe(true);
  expect(limiter.take("a", 0)).toBe(false);
  expect(limiter.take("a", 500)).toBe(false);
});

test("keeps no more keys than it may", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 0, maxKeys: 100 });
  for (let i = 0; i < 10_000; i++) limiter.take(`${i}`, 0);
  expect(limiter.size).toBe(100);
  expect(limiter.take("9999", 0)).toBe(false);
});

test("never grants more than burst and time allow", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2000), { maxLength: 200 }), (steps) => {
      const limiter = new RateLimiter({ burst: 5, perSecond: 10 });
      let now = 0;
      let granted = 0;
      for (const step of steps) {
        now += step;
        if (limiter.take("a", now)) granted++;
      }
      expect(granted).toBeLessThanOrEqual(5 + now / 100 + 1e-6);
    }),
  );
});

test("a bucket alone: some tokens at a time, all or none", () => {
  const bucket = new TokenBucket(10, 5);
  expect(bucket.take(0, 8)).toBe(true);
  expect(bucket.take(0, 3)).toBe(false);
  expect(bucket.take(0, 2)).toBe(true);
  expect(bucket.take(1000, 6)).toBe(false);
  expect(bucket.take(1000, 5)).toBe(true);
  // A clock that went back gives nothing, and takes nothing.
  expect(bucket.take(500)).toBe(false);
  expect(bucket.take(700)).toBe(true);
});

test("says how long to wait, takes nothing for it, and remembers nobody", () => {
  const bucket = new TokenBucket(2, 4);
  expect([bucket.waitMs(0), bucket.waitMs(0, 2), bucket.waitMs(0)]).toEqual([0, 0, 0]);
  expect(bucket.take(0, 2)).toBe(true);
  expect([bucket.waitMs(0), bucket.waitMs(0, 2), bucket.waitMs(100), bucket.waitMs(250)]).toEqual([250, 500, 150, 0]);
  const limiter = new RateLimiter({ burst: 1, perSecond: 1 });
  expect([limiter.waitMs("a", 0), limiter.size]).toEqual([0, 0]);
  limiter.take("a", 0);
  expect([limiter.waitMs("a", 0), limiter.waitMs("a", 1000)]).toEqual([1000, 0]);
});
