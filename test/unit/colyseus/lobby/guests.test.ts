import type { Client } from "@colyseus/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Guests } from "../../../../sdk/src/colyseus/lobby/guests.ts";
import { LIMITS } from "../../../../sdk/src/colyseus/lobby/limits.ts";

let guests: Guests;
const left: string[] = [];
let count = 0;

function guest(): Client {
  const sessionId = `guest ${count++}`;
  return { sessionId, leave: () => void left.push(sessionId), send: () => {} } as unknown as Client;
}
function enters(address: string): boolean {
  try {
    guests.add(guest(), address);
    return true;
  } catch {
    return false;
  }
}

beforeEach(() => {
  guests = new Guests(LIMITS);
  left.length = 0;
  count = 0;
});
afterEach(() => guests.dispose());

test("sixty of one address come in at once; somebody's /64 is one address", () => {
  for (let i = 0; i < 60; i++) expect(enters("198.51.100.7")).toBe(true);
  const network = Array.from({ length: 200 }, (_, i) => enters(`2001:db8:1:1::${i.toString(16)}`));
  expect(network.filter(Boolean)).toHaveLength(LIMITS.guestsPerAddress);
});

test("who fills a game by a whole /48 makes way for others, the oldest first, and others do not for them", () => {
  for (let i = 0; i < 300; i++) enters(`2001:db8:1:${i.toString(16)}::1`);
  expect([...guests.clients]).toHaveLength(LIMITS.guestsPerGame);
  expect(left).toEqual([]);
  for (let i = 0; i < 60; i++) expect(enters("198.51.100.7")).toBe(true);
  expect(left).toHaveLength(60);
  expect(left[0]).toBe("guest 0");
  expect(enters("2001:db8:1:ffff::1")).toBe(false);
  expect([...guests.clients]).toHaveLength(LIMITS.guestsPerGame);
});

test("a game that is full of guests of their own keeps them", () => {
  for (let i = 0; i < LIMITS.guestsPerGame; i++) expect(enters(`198.51.${i}.7`)).toBe(true);
  expect(enters("203.0.113.9")).toBe(false);
  expect(left).toEqual([]);
});

test("attests an introduction to both sides where they have one public address, and nowhere else", () => {
  const heard: [who: string, type: string, message?: unknown][] = [];
  const client = (sessionId: string): Client =>
    ({
      sessionId,
      leave: () => {},
      send: (type: string, message?: unknown) => void heard.push([sessionId, type, message]),
    }) as unknown as Client;
  const introduced = (hostAddress: string, address: string): boolean[] => {
    heard.length = 0;
    const [host, friend] = [client("host"), client(`friend ${count++}`)];
    guests.setHost(host, hostAddress);
    guests.add(friend, address);
    guests.introduce(friend, { hello: new Uint8Array(49) });
    const [, , message] =
      heard.find(([who, type]) => who === "host" && type === "introduction") ?? expect.unreachable();
    return [heard.some(([, type]) => type === "attested"), (message as { attested?: boolean }).attested ?? false];
  };
  expect(introduced("5.6.7.8", "5.6.7.8")).toEqual([true, true]);
  expect(introduced("2a02:1:2:3::1", "2a02:1:2:3:ffff::2")).toEqual([true, true]);
  expect(introduced("5.6.7.8", "5.6.7.9")).toEqual([false, false]);
  expect(introduced("2a02:1:2:3::1", "2a02:1:2:4::1")).toEqual([false, false]);
  // Who is on the lobby's own network says nothing about the internet.
  expect(introduced("192.168.1.2", "192.168.1.2")).toEqual([false, false]);
  expect(introduced("127.0.0.1", "127.0.0.1")).toEqual([false, false]);
});
