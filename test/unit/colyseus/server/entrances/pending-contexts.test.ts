import type { AuthContext } from "@colyseus/core";
import { expect, test } from "vitest";
import { PendingContexts } from "../../../../../sdk/src/colyseus/server/entrances/pending-contexts.ts";

const context = (ip: string): AuthContext => ({ ip, headers: new Headers() });

test("gives a context once, within its time", () => {
  const pending = new PendingContexts(1000);
  const first = context("a");
  pending.set(1n, first, 0);
  pending.set(2n, context("b"), 0);
  expect(pending.take(1n, 999)).toBe(first);
  expect(pending.take(1n, 999)).toBeUndefined();
  expect(pending.take(2n, 1000)).toBeUndefined();
});

test("forgets those who never came, and keeps no more than its cap", () => {
  const pending = new PendingContexts(1000);
  for (let i = 0n; i < 5000n; i++) pending.set(i, context("c"), 0);
  expect(pending.size).toBe(4096);
  pending.set(9999n, context("d"), 1000);
  expect(pending.size).toBe(1);
});
