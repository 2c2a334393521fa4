/** What a lobby calls localhost, seen from another machine. */
import { expect, test } from "vitest";
import { serverSeenFrom, serversSeenFrom } from "../../../../sdk/src/rendezvous/wire/seen-from.ts";

const LOBBY = "http://192.168.77.2:2567/";

test.each([
  ["stun:localhost:3478", "stun:192.168.77.2:3478"],
  ["turn:127.0.0.1:3478?transport=tcp", "turn:192.168.77.2:3478?transport=tcp"],
  ["turns:[::1]", "turns:192.168.77.2"],
  ["stun:stun.example:3478", "stun:stun.example:3478"],
  ["stun:203.0.113.7", "stun:203.0.113.7"],
  ["stun:[2001:db8::7]:3478", "stun:[2001:db8::7]:3478"],
  ["nonsense", "nonsense"],
])("%s is %s", (said, seen) => {
  expect(serverSeenFrom(said, LOBBY)).toBe(seen);
  expect(serverSeenFrom(said, "http://localhost:2567")).toBe(said.replace(/127\.0\.0\.1|\[::1\]/, "localhost"));
});

test("credentials stay as they are", () => {
  const access = { urls: ["turn:localhost:3478"], username: "a", credential: "b", expiresAt: 7 };
  expect(serversSeenFrom({ stun: [], turn: [access] }, "http://[2001:db8::2]:2567")).toEqual({
    stun: [],
    turn: [{ ...access, urls: ["turn:[2001:db8::2]:3478"] }],
  });
});
