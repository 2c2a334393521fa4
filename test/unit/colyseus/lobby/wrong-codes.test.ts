import { matchMaker } from "@colyseus/core";
import { beforeAll, expect, test } from "vitest";
import { LIMITS } from "../../../../sdk/src/colyseus/lobby/limits.ts";
import { WrongCodes } from "../../../../sdk/src/colyseus/lobby/wrong-codes.ts";

beforeAll(() => matchMaker.setup());

/** How many wrong codes are answered when so many come at once. */
async function answered(
  codes: WrongCodes,
  count: number,
  address: (index: number) => string,
  now = 0,
): Promise<number> {
  const all = await Promise.all(Array.from({ length: count }, (_, i) => codes.take(address(i), now)));
  return all.filter(Boolean).length;
}

const hex = (index: number): string => index.toString(16);
const provider = (index: number): string => `2001:${hex(index)}::1`;

test.each([
  ["one IPv4 address", () => "198.51.100.7", 30],
  ["a /24", (i: number) => `198.51.100.${i % 256}`, 16 * 30],
  ["one /64", (i: number) => `2001:db8:1:1::${hex(i)}`, 30],
  ["a /48", (i: number) => `2001:db8:1:${hex(i)}::1`, 400],
  ["a /32", (i: number) => `2001:db8:${hex(i)}::1`, 400],
])("of 8000 at once from %s few are answered", async (_what, address, most) => {
  const codes = new WrongCodes(LIMITS);
  const first = await answered(codes, 8000, address);
  expect(first).toBeLessThanOrEqual(Math.min(most, 404));
  expect(first).toBeGreaterThanOrEqual(Math.min(30, most));
  // In the long run: 1 a second for each caller, 16 and 64 for the networks, and 200 for all.
  const later = await answered(codes, 8000, address, 10_000);
  expect(later).toBeLessThanOrEqual(Math.min(most, 404));
});

test("of the whole world 400 at once and 200 a second are answered, and what each network may guess once in a while", async () => {
  const codes = new WrongCodes(LIMITS);
  // Each of 1000 providers' networks guesses eight times.
  const first = await answered(codes, 8000, (i) => provider(i % 1000));
  expect(first).toBeLessThanOrEqual(4000 + 400);
  // From now on they are known.
  const second = await answered(codes, 8000, (i) => provider(i % 1000), 1000);
  expect(second).toBeLessThanOrEqual(200 + 100);
});

test("right codes cost nothing, and are refused to who has guessed too often", async () => {
  const codes = new WrongCodes(LIMITS);
  for (let i = 0; i < 1000; i++) expect(await codes.mayEnter("198.51.100.7", 0)).toBe(true);
  await answered(codes, 31, () => "198.51.100.7");
  expect(await codes.mayEnter("198.51.100.7", 0)).toBe(false);
  expect(await codes.mayEnter("198.51.100.8", 0)).toBe(true);
  expect(await codes.mayEnter("198.51.100.7", 1000)).toBe(true);
});

test("while the world guesses, quiet networks get in and guessing ones do not", async () => {
  const codes = new WrongCodes(LIMITS);
  for (let round = 0; round < 10; round++) await answered(codes, 1000, (i) => provider(i));
  expect(await codes.mayEnter(provider(7), 0)).toBe(false);
  expect(await codes.mayEnter("2400:7::1", 0)).toBe(true);
  expect(await codes.mayEnter("203.0.113.1", 0)).toBe(true);
});
