import { describe, expect, test } from "vitest";
import { KEEP_ALIVE_MS, keepAliveFor } from "../../../sdk/src/stun/keep-alive.ts";

describe("keepAliveFor", () => {
  test.each([
    [null, KEEP_ALIVE_MS],
    [300, KEEP_ALIVE_MS],
    [30, 15_000],
    [28, 14_000],
    [16, 8_000],
    [7, 5_000],
    [0.5, 5_000],
  ])("a lifetime of %s s: every %i ms", (seconds, ms) => {
    expect(keepAliveFor(seconds)).toBe(ms);
  });

  test("never more seldom than was asked for", () => {
    expect([keepAliveFor(300, 2_000), keepAliveFor(4, 2_000), keepAliveFor(null, 2_000)]).toEqual([
      2_000, 2_000, 2_000,
    ]);
  });
});
