import { expect, test } from "vitest";
import { RefusalLimiter } from "../../../../../sdk/src/colyseus/server/admission/refusal-limiter.ts";

test("blocks an address that was refused too often, until the window turns", () => {
  const limiter = new RefusalLimiter({ limit: 2, windowMs: 1000 });
  limiter.refused("192.0.2.1", 0);
  expect(limiter.isBlocked("192.0.2.1", 0)).toBe(false);
  limiter.refused("192.0.2.1", 10);
  expect(limiter.isBlocked("192.0.2.1", 999)).toBe(true);
  expect(limiter.isBlocked("192.0.2.2", 999)).toBe(false);
  expect(limiter.isBlocked("192.0.2.1", 1000)).toBe(false);
});

test("takes a /64 for one person, however it is written", () => {
  const limiter = new RefusalLimiter({ limit: 2 });
  limiter.refused("2001:db8::1", 0);
  limiter.refused("2001:db8:0:0:ffff::2", 0);
  expect(limiter.isBlocked("2001:db8:0:0:1:2:3:4", 0)).toBe(true);
  expect(limiter.isBlocked("2001:db8:0:1::1", 0)).toBe(false);
  expect(limiter.isBlocked("::1", 0)).toBe(false);
});

test("remembers only so many addresses", () => {
  const limiter = new RefusalLimiter({ limit: 1, maxAddresses: 2 });
  for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) limiter.refused(address, 0);
  expect(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => limiter.isBlocked(address, 0))).toEqual([
    true,
    true,
    false,
  ]);
});
