import * as fc from "fast-check";
import { expect, test } from "vitest";
import { describeFull, type HeldBytes, HeldBytesBudget } from "../../../sdk/src/net/held-bytes.ts";

const MIB = 2 ** 20;

function holders(capacity: number, count: number) {
  const budget = new HeldBytesBudget(capacity);
  const ended: [index: number, bytes: number][] = [];
  const all = Array.from({ length: count }, (_, index) => budget.open((bytes) => ended.push([index, bytes])));
  return { budget, ended, all: all as [HeldBytes, HeldBytes, HeldBytes, ...HeldBytes[]] };
}

test("while there is room everybody takes and gives, and nobody has to go", () => {
  const { budget, ended, all } = holders(100, 3);
  expect(all.map((each, index) => each.take(10 * index))).toEqual([true, true, true]);
  expect(budget.bytes).toBe(30);
  all[1].give(4);
  all[2].close();
  expect([budget.bytes, ended]).toEqual([6, []]);
});

test("the one that holds most goes, and may not be the one that asks", () => {
  const { budget, ended, all } = holders(10 * MIB, 3);
  all[0].take(6 * MIB);
  all[1].take(3 * MIB);
  expect(all[2].take(2 * MIB)).toBe(true);
  expect(ended).toEqual([[0, 6 * MIB]]);
  expect(budget.bytes).toBe(5 * MIB);
});

test("the one that asks goes if it would hold most", () => {
  const { budget, ended, all } = holders(10 * MIB, 3);
  all[0].take(5 * MIB);
  all[1].take(4 * MIB);
  expect(all[1].take(2 * MIB)).toBe(false);
  expect(ended).toEqual([[1, 6 * MIB]]);
  expect(budget.bytes).toBe(5 * MIB);
  // What it does to say goodbye is counted no more.
  expect(all[1].take(10)).toBe(true);
  all[1].give(10);
  expect(budget.bytes).toBe(5 * MIB);
});

test("of those that hold about as much, the one goes that has not let go for longest: a player who takes a large state stays", () => {
  const { ended, all } = holders(10 * MIB, 3);
  all[0].take(4.6 * MIB);
  all[1].take(4.5 * MIB);
  all[0].give(0.05 * MIB);
  expect(all[2].take(4.6 * MIB)).toBe(true);
  expect(ended).toEqual([[1, 4.5 * MIB]]);
});

test("as many go as it takes; one that wants more than there is goes alone", () => {
  const { ended, all } = holders(10 * MIB, 3);
  all[0].take(4 * MIB);
  all[1].take(3 * MIB);
  expect(all[2].take(11 * MIB)).toBe(false);
  expect(ended).toEqual([[2, 11 * MIB]]);
});

test("the words name both figures", () => {
  expect(describeFull(new HeldBytesBudget(64 * MIB), 8.24 * MIB)).toBe(
    "The 64 MiB for messages that wait were full, and this session held 8.2 of them (limits.heldBytes).",
  );
  expect(Buffer.byteLength(describeFull(new HeldBytesBudget(2 ** 53), 2 ** 52))).toBeLessThanOrEqual(123);
});

test("whatever is taken and given, the budget holds the sum, and no more than its capacity", () => {
  const step = fc.record({ index: fc.nat(4), bytes: fc.nat(60), kind: fc.constantFrom("take", "give", "close") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { budget, all } = holders(100, 5);
      const live = new Set<HeldBytes>(all);
      for (const { index, bytes, kind } of steps) {
        const holder = all[index] as HeldBytes;
        if (kind === "close") holder.close();
        else if (kind === "give") holder.give(Math.min(bytes, holder.bytes));
        else holder.take(bytes);
        for (const each of live) if (each.bytes > 0) expect(each.bytes).toBeLessThanOrEqual(100);
        expect(budget.bytes).toBe(all.reduce((sum, each) => sum + each.bytes, 0));
        expect(budget.bytes).toBeLessThanOrEqual(100);
      }
    }),
  );
});
