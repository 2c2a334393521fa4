import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  asksFor,
  parseConnectRequest,
  parseObject,
  readBody,
} from "../../../../../sdk/src/colyseus/server/entrances/parse-connect-request.ts";
import { CONNECT_PATH } from "../../../../../sdk/src/colyseus/wire/connect-request.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const parse = (value: unknown) => parseConnectRequest(parseObject(Buffer.from(JSON.stringify(value))));
const seat = { roomId: "room", sessionId: "session" };

test("reads a whole request, and one with the least", () => {
  const whole = {
    ...seat,
    protocol: 2,
    reconnectionToken: "t",
    skipHandshake: true,
    dialed: [{ address: "::ffff:192.0.2.1", port: 7777 }],
  };
  expect(parse(whole)).toEqual({
    protocol: 2,
    seat: { ...seat, reconnectionToken: "t", skipHandshake: true },
    dialed: [{ address: "192.0.2.1", port: 7777 }],
  });
  // The first release names no version.
  const least = { seat: { ...seat, reconnectionToken: "", skipHandshake: false }, dialed: [] };
  expect(parse(seat)).toEqual({ protocol: 1, ...least });
});

test.each([
  ["no room", { sessionId: "session" }],
  ["an empty room", { ...seat, roomId: "" }],
  ["a session that is a number", { ...seat, sessionId: 3 }],
  ["a token that is null", { ...seat, reconnectionToken: null }],
  ["a flag that is no flag", { ...seat, skipHandshake: "yes" }],
  ["addresses that are none", { ...seat, dialed: {} }],
  ["a name for an address", { ...seat, dialed: [{ address: "localhost", port: 1 }] }],
  ["port 0", { ...seat, dialed: [{ address: "192.0.2.1", port: 0 }] }],
  ["port 65536", { ...seat, dialed: [{ address: "192.0.2.1", port: 65536 }] }],
  ["a null among the addresses", { ...seat, dialed: [null] }],
  ["too many addresses", { ...seat, dialed: [1, 2, 3, 4, 5].map((port) => ({ address: "192.0.2.1", port })) }],
  ["version 0", { ...seat, protocol: 0 }],
  ["half a version", { ...seat, protocol: 1.5 }],
  ["a version in words", { ...seat, protocol: "2" }],
  ["a version that is null", { ...seat, protocol: null }],
  ["version 65536", { ...seat, protocol: 65536 }],
  ["null", null],
  ["a list", [seat]],
])("refuses %s", (_what, value) => {
  expect(parse(value)).toBeNull();
});

test("nothing makes it throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseConnectRequest(parseObject(bytes))),
    { numRuns },
  );
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (dialed, roomId) => void parse({ ...seat, dialed, roomId })),
    { numRuns },
  );
});

test("knows its path, also behind a prefix and with a query", () => {
  const is = (url?: string) => asksFor(CONNECT_PATH, { url } as IncomingMessage);
  expect([is("/sallyport/connect"), is("/game/sallyport/connect?x=1")]).toEqual([true, true]);
  expect([is("/matchmake/joinOrCreate/a"), is("/sallyport/connect/x"), is("/?x=/sallyport/connect"), is()]).toEqual(
    Array(4).fill(false),
  );
});

test("reads no more of a body than a request may have", async () => {
  const body = (size: number) =>
    readBody(Readable.from([Buffer.alloc(size), Buffer.alloc(96)]) as IncomingMessage, 4096);
  expect((await body(4000))?.length).toBe(4096);
  expect(await body(4001)).toBeNull();
});
