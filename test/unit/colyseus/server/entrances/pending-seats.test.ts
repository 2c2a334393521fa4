import type { AuthContext } from "@colyseus/core";
import { expect, test } from "vitest";
import { PendingSeats } from "../../../../../sdk/src/colyseus/server/entrances/pending-seats.ts";
import type { Seat } from "../../../../../sdk/src/colyseus/wire/seat.ts";

const seat = (sessionId: string, reconnectionToken = ""): Seat => {
  return { roomId: "room", sessionId, reconnectionToken, skipHandshake: false };
};
const asked = (ip: string) => ({ context: { ip, headers: new Headers() } as AuthContext, caller: undefined });
const idOf = (added: ReturnType<PendingSeats["add"]>): bigint => {
  return typeof added === "number" ? expect.unreachable(`has to wait ${added} ms`) : added.clientId;
};
const open = (capacity = 4096): PendingSeats => new PendingSeats({ lifetimeMs: 1000, tokensPerSeat: 2, capacity });

test("gives what was asked with once, within its time", () => {
  const pending = open();
  const first = idOf(pending.add(seat("ann"), asked("a"), 0));
  const second = idOf(pending.add(seat("bob"), asked("b"), 0));
  expect(pending.take(first, 999)?.context.ip).toBe("a");
  expect(pending.take(first, 999)).toBeUndefined();
  expect(pending.take(second, 1000)).toBeUndefined();
  expect(pending.size).toBe(0);
});

test("all tokens of a seat are one client's; a kept seat's, and those after a session, are another's", () => {
  const pending = open();
  const first = idOf(pending.add(seat("ann"), asked("a"), 0));
  expect(idOf(pending.add(seat("ann"), asked("c"), 0))).toBe(first);
  expect(idOf(pending.add(seat("ann", "token"), asked("a"), 0))).not.toBe(first);
  expect(pending.take(first, 1)?.context.ip).toBe("c");
  expect(idOf(pending.add(seat("ann"), asked("a"), 1))).not.toBe(first);
});

test("a seat has so many tokens, and more later", () => {
  const pending = open();
  for (let i = 0; i < 2; i++) pending.add(seat("ann"), asked("a"), 0);
  expect(pending.add(seat("ann"), asked("a"), 0)).toBe(2000);
  expect(idOf(pending.add(seat("bob"), asked("b"), 0))).toBeTypeOf("bigint");
  expect(idOf(pending.add(seat("ann"), asked("a"), 2000))).toBeTypeOf("bigint");
});

test("who came first stays, and who comes when all places are taken waits", () => {
  const pending = open(3);
  const ids = ["a", "b", "c"].map((name, i) => idOf(pending.add(seat(name), asked(name), i)));
  expect(pending.add(seat("d"), asked("d"), 10)).toBe(990);
  expect(ids.map((id) => pending.take(id, 10)?.context.ip)).toEqual(["a", "b", "c"]);
  expect(idOf(pending.add(seat("d"), asked("d"), 10))).toBeTypeOf("bigint");
});
