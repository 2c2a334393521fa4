import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeRelaying,
  parseOffer,
  parseRelaying,
  parseTerms,
  RELAYING_PROTOCOL,
} from "../../../../sdk/src/colyseus/wire/relaying.ts";

const OFFER = { urls: ["turn:203.0.113.7:5000?transport=udp"], secret: "a".repeat(43) };
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test("what is said comes through, and an offer is long enough to be asked about", () => {
  const offer = encodeRelaying({ type: "offer", ...OFFER });
  expect(offer.length).toBe(1200);
  expect(parseRelaying(offer)).toEqual({ type: "offer", ...OFFER });
  expect(parseRelaying(encodeRelaying({ type: "hello" }))).toEqual({ type: "hello" });
  const turn = [{ urls: OFFER.urls, username: "1:host", credential: "c", expiresAt: 5 }];
  const relays = { type: "relays", add: [["relayed", "8.8.8.8", 5, 1, "a"]], remove: [], turn } as const;
  expect(parseRelaying(encodeRelaying({ ...relays, turn }))).toEqual({ ...relays, turn });
});

test.each([
  ["a name, which would have to be looked up", { ...OFFER, urls: ["turn:relay.example:5000?transport=udp"] }],
  ["another scheme", { ...OFFER, urls: ["http://203.0.113.7:5000"] }],
  ["no transport", { ...OFFER, urls: ["turn:203.0.113.7:5000"] }],
  ["too many", { ...OFFER, urls: Array(5).fill(OFFER.urls[0]) }],
  ["none", { ...OFFER, urls: [] }],
  ["a short secret", { ...OFFER, secret: "short" }],
  ["a secret that is none", { ...OFFER, secret: { length: 43 } }],
])("an offer of %s is none", (_, offer) => {
  expect(parseOffer(offer as Record<string, unknown>)).toBeUndefined();
  expect(parseRelaying(encode({ type: "offer", ...offer }))).toBeUndefined();
});

test("anything else is nothing, and never throws", () => {
  for (const value of [null, 1, "hello", [], {}, { type: "helo" }])
    expect(parseRelaying(encode(value))).toBeUndefined();
  expect(parseRelaying(encode({ type: "hello", pad: "0".repeat(4000) }))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseRelaying(bytes)));
  fc.assert(fc.property(fc.json(), (text) => void parseRelaying(new TextEncoder().encode(text))));
});

test("terms of another version, or without amounts, are no reason to relay", () => {
  expect(parseTerms({ protocol: RELAYING_PROTOCOL, kbps: 5, gb: 1 })).toEqual({ protocol: 1, kbps: 5, gb: 1 });
  expect(parseTerms({ protocol: RELAYING_PROTOCOL, kbps: -5, gb: 1 })).toEqual({ protocol: 1 });
  for (const value of [undefined, null, 1, { protocol: 2, kbps: 5, gb: 1 }]) expect(parseTerms(value)).toBeUndefined();
});
