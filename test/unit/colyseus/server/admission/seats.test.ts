import { describe, expect, test } from "vitest";
import { callerAt, introducedCaller } from "../../../../../sdk/src/colyseus/server/admission/caller.ts";
import { Seats } from "../../../../../sdk/src/colyseus/server/admission/seats.ts";

const SEAT_MS = 15_000;
const school = callerAt("192.0.2.1");
const stranger = callerAt("198.51.100.7");

const open = (limits = {}): Seats => new Seats({ seatsPerAddress: 8, seats: 20, ...limits });
let names = 0;

/** A seat, or why there is none. */
function take(seats: Seats, caller: typeof school | undefined, now: number): string {
  const refusal = seats.ask(caller, now);
  if (refusal) return `${refusal.status} ${refusal.retryAfterMs}`;
  const name = `seat ${++names}`;
  seats.reserved(caller, name, now + SEAT_MS);
  return name;
}

describe("one address", () => {
  test("has so many seats that nobody takes, and then one in four seconds", () => {
    const seats = open();
    for (let i = 0; i < 8; i++) expect(take(seats, stranger, 0)).toMatch(/^seat/);
    expect(take(seats, stranger, 0)).toBe("429 4000");
    let taken = 0;
    for (let now = 1000; now <= 60_000; now += 1000) if (take(seats, stranger, now).startsWith("seat")) taken++;
    expect(taken).toBe(15);
    // Of the last 15 s.
    expect(seats.size).toBeLessThanOrEqual(4);
    expect(take(seats, school, 60_000)).toMatch(/^seat/);
  });

  test("has no limit where its players come", () => {
    const seats = open();
    for (let i = 0; i < 500; i++) {
      const name = take(seats, school, i);
      expect(name).toMatch(/^seat/);
      seats.taken(name, i);
      seats.taken(name, i);
    }
    expect(seats.size).toBe(0);
    for (let i = 0; i < 8; i++) expect(take(seats, school, 500)).toMatch(/^seat/);
    expect(take(seats, school, 500)).toMatch(/^429/);
  });

  test("pays nothing for a request that brings no seat", () => {
    const seats = open();
    for (let i = 0; i < 100; i++) {
      expect(seats.ask(stranger, 0)).toBeUndefined();
      seats.release(stranger, 0);
    }
    expect([seats.size, seats.of(stranger)]).toEqual([0, 0]);
  });

  test("holds requests that are under way, too", () => {
    const seats = open();
    for (let i = 0; i < 8; i++) expect(seats.ask(stranger, 0)).toBeUndefined();
    expect(seats.ask(stranger, 0)).toMatchObject({ status: 429 });
    expect(seats.size).toBe(8);
  });
});

test("when all seats are held, those get one who hold none, and nobody waits for a seat whose time is over", () => {
  const seats = open();
  // Three addresses of three networks.
  for (const address of ["192.0.2.1", "198.51.100.1", "203.0.113.1"]) {
    for (let i = 0; i < 8; i++) take(seats, callerAt(address), 0);
  }
  expect(seats.size).toBe(20);
  expect(take(seats, callerAt("203.0.113.1"), 0)).toBe("503 1000");
  expect(take(seats, undefined, 0)).toBe("503 1000");
  expect(take(seats, callerAt("5.6.7.8"), 0)).toMatch(/^seat/);
  expect(take(seats, callerAt("5.6.7.9"), 0)).toBe("503 1000");
  // No more than twice as many, whoever asks.
  for (let i = 0; i < 100; i++) take(seats, callerAt(`9.9.${i}.1`), 0);
  expect(seats.size).toBe(40);
  expect(take(seats, undefined, SEAT_MS)).toMatch(/^seat/);
});

test("rooms keep seats for another time each", () => {
  const seats = open();
  for (const [name, ms] of [
    ["long", 60_000],
    ["short", 1000],
  ] as const) {
    seats.ask(undefined, 0);
    seats.reserved(undefined, name, ms);
  }
  seats.ask(undefined, 1000);
  expect(seats.size).toBe(2);
});

test("an introduced player has an eighth of an address' share, and all together have no more than others leave", () => {
  const seats = open({ seatsPerAddress: 16 });
  for (let i = 0; i < 2; i++) expect(take(seats, introducedCaller("ann"), 0)).toMatch(/^seat/);
  expect(take(seats, introducedCaller("ann"), 0)).toMatch(/^429/);
  for (let i = 0; i < 100; i++) take(seats, introducedCaller(`${i}`), 0);
  expect(seats.size).toBe(20);
  expect(take(seats, school, 0)).toMatch(/^seat/);
});
