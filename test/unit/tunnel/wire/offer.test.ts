import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeOffer,
  encodeRequest,
  parseOffer,
  parseRefusal,
  parseRequest,
  TUNNEL_PROTOCOL,
} from "../../../../sdk/src/tunnel/wire/offer.ts";
import { parsePorts } from "../../../../sdk/src/tunnel/wire/ports.ts";

const guest = "A".repeat(22);
const offer = { token: new Uint8Array(2048).fill(3), name: "Ann's game", ports: parsePorts([7777]) };

test("what one end writes, the other reads", () => {
  expect(parseRequest(encodeRequest(guest))).toEqual({ protocol: TUNNEL_PROTOCOL, guest });
  const read = parseOffer(encodeOffer(offer));
  expect(read && { ...read, token: new Uint8Array(read.token) }).toEqual(offer);
});

test("a request without a guest's id is none", () => {
  for (const other of ["", "A".repeat(21), "A".repeat(23), `${"A".repeat(21)}/`, 7]) {
    expect(parseRequest(JSON.stringify({ protocol: 1, guest: other }))).toBeUndefined();
  }
});

test.each([
  ["a shorter token", { token: "AAAA" }],
  ["another protocol", { protocol: 2 }],
  ["no port", { ports: [] }],
  ["a port without its protocol", { ports: ["7777"] }],
  ["too many ports", { ports: Array.from({ length: 65 }, (_, i) => `${i + 1}/udp`) }],
  ["a name that is none", { name: 7 }],
])("an offer with %s is none", (_what, change) => {
  const text = JSON.stringify({ ...(JSON.parse(encodeOffer(offer)) as object), ...change });
  expect(parseOffer(text)).toBeUndefined();
});

test("a name is safe to show", () => {
  const read = parseOffer(encodeOffer({ ...offer, name: `\u001b[31m${"x".repeat(100)}` }));
  expect(read?.name).toBe(`[31m${"x".repeat(60)}`);
  expect(parseRefusal('{"error":"full\\u0007"}')).toBe("full");
  expect(parseRefusal("{}")).toBeUndefined();
});

test("whatever text comes, nothing throws", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      parseOffer(text);
      parseRequest(text);
      parseRefusal(text);
    }),
  );
});
