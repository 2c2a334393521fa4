/** Who may bring a session to a player on a WebSocket. */
import { beforeEach, expect, test } from "vitest";
import { Upgrades } from "../../../../../sdk/src/colyseus/server/admission/upgrades.ts";
import { MovingSession } from "../../../../../sdk/src/colyseus/websocket/moving-session.ts";
import { WebSocketSession } from "../../../../../sdk/src/colyseus/websocket/session.ts";
import { decodeSeat, encodeSeat, type Seat } from "../../../../../sdk/src/colyseus/wire/seat.ts";
import { isUpgradeKey } from "../../../../../sdk/src/colyseus/wire/websocket-control.ts";
import { FakeSession } from "../fake-session.ts";

const who = { roomId: "room", sessionId: "ann" };
let upgrades: Upgrades;
let port: { isOpen: boolean; send: () => void; close: () => void };
let player: MovingSession;
let key: string;
const seat = (upgrade: string, more: Partial<Seat> = {}): Seat => {
  return { ...who, reconnectionToken: "", skipHandshake: false, upgrade, ...more };
};

beforeEach(() => {
  upgrades = new Upgrades();
  port = { isOpen: true, send: () => {}, close: () => {} };
  player = new MovingSession(new WebSocketSession(port, { address: "192.0.2.1", port: 80 }), () => {});
  key = upgrades.add(player, who);
});

test("the key opens, once a second", () => {
  expect(isUpgradeKey(key)).toBe(true);
  expect(upgrades.has(seat(key))).toBe(true);
  expect([0, 500, 999, 1000, 1500, 2100].map((now) => upgrades.ask(seat(key), now))).toEqual([
    true,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test.each<[string, (key: string) => Seat]>([
  ["another key", () => seat("0".repeat(32))],
  ["one that begins as this does", (right) => seat(right.slice(0, 8) + "0".repeat(24))],
  ["a part of it", (right) => seat(right.slice(0, 31))],
  ["more than it", (right) => seat(`${right}0`)],
  ["none", () => seat("")],
  ["another player's name with it", (right) => seat(right, { sessionId: "bob" })],
  ["another room with it", (right) => seat(right, { roomId: "other" })],
])("%s does not", (_what, of) => {
  const wrong = of(key);
  expect([
    upgrades.has(wrong),
    upgrades.ask(wrong, 0),
    upgrades.offer(wrong, new FakeSession(0n, new Uint8Array())),
  ]).toEqual([false, false, false]);
});

test("nor does it when the player has gone", () => {
  port.isOpen = false;
  expect(upgrades.has(seat(key))).toBe(false);
  upgrades.remove(key);
  expect([upgrades.has(seat(key)), upgrades.size]).toEqual([false, 0]);
});

test("a connect token carries it, and no reconnection token beside it", () => {
  const userData = encodeSeat(seat(key)) ?? expect.unreachable();
  expect(decodeSeat(userData)).toEqual(seat(key));
  const plain: Seat = { ...who, reconnectionToken: key, skipHandshake: true };
  expect(decodeSeat(encodeSeat(plain) ?? expect.unreachable())).toEqual(plain);
});
