import { expect, test } from "vitest";
import { callerAt, introducedCaller } from "../../../../../sdk/src/colyseus/server/admission/caller.ts";
import { Requests } from "../../../../../sdk/src/colyseus/server/admission/requests.ts";

const open = (limits = {}): Requests =>
  new Requests({ requestsPerAddress: 60, requests: 1000, guessesPerAddress: 20, ...limits });
const caller = callerAt("192.0.2.1");

/** How many of so many requests are let through. */
function pass(requests: Requests, by: typeof caller | undefined, count: number, now = 0): number {
  let passed = 0;
  for (let i = 0; i < count; i++) if (!requests.take(by, now)) passed++;
  return passed;
}

test("an address asks so often at once, and a tenth of that in each second after", () => {
  const requests = open();
  expect(pass(requests, caller, 100)).toBe(60);
  expect(requests.take(caller, 0)).toEqual({
    status: 429,
    error: "Too many requests from your address: wait a second.",
    retryAfterMs: 167,
  });
  expect(pass(requests, caller, 100, 10_000)).toBe(60);
  expect(pass(requests, callerAt("192.0.2.2"), 1, 10_000)).toBe(1);
});

test("a /64 is one address, and a player who was introduced has an eighth of it", () => {
  const requests = open();
  expect(pass(requests, callerAt("2001:db8::1"), 40)).toBe(40);
  expect(pass(requests, callerAt("2001:db8:0:0:ffff::2"), 40)).toBe(20);
  expect(pass(requests, introducedCaller("ann"), 40)).toBe(7);
});

test("when all is used up, those who have hardly asked are heard; behind a proxy nobody can be told apart", () => {
  const requests = open();
  expect(pass(requests, undefined, 2000)).toBe(1000);
  expect(requests.take(undefined, 0)).toMatchObject({ status: 503, retryAfterMs: 10 });
  expect(pass(requests, callerAt("198.51.100.7"), 60)).toBe(8);
  expect(pass(requests, undefined, 2000, 10_000)).toBe(1000);
});

test("who asks for seats that are not there has to wait, and nobody else", () => {
  const requests = open();
  for (let i = 0; i < 20; i++) {
    expect(requests.refuseGuess(caller, 0)).toBeUndefined();
    requests.guessed(caller, 0);
  }
  expect(requests.refuseGuess(caller, 0)).toMatchObject({ status: 429, retryAfterMs: 500 });
  expect(requests.refuseGuess(callerAt("192.0.2.2"), 0)).toBeUndefined();
  expect(requests.refuseGuess(undefined, 0)).toBeUndefined();
  expect(requests.refuseGuess(caller, 500)).toBeUndefined();
});

test("Infinity is no limit", () => {
  const requests = open({ requestsPerAddress: Number.MAX_SAFE_INTEGER, requests: Number.MAX_SAFE_INTEGER });
  expect(pass(requests, caller, 10_000)).toBe(10_000);
});
