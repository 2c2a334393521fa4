import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RendezvousError } from "../../../../sdk/src/rendezvous/wire/errors.ts";
import {
  MAX_ENDPOINT_LENGTH,
  MAX_ENDPOINTS,
  parseEndpointUrl,
  parseHostDetails,
  parseHostMessage,
  parseHostUpdate,
  summaryOf,
} from "../../../../sdk/src/rendezvous/wire/protocol.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);
const details = {
  name: "Arena",
  description: "a field and coins",
  players: 2,
  maxPlayers: 16,
  version: "1.0",
  verdict: "mapped",
  endpoints: ["http://203.0.113.7:7777"],
};

describe("endpoints", () => {
  test("are URLs in their normal form", () => {
    expect(parseEndpointUrl("http://203.0.113.7:7777/")).toBe("http://203.0.113.7:7777");
    expect(parseEndpointUrl("HTTP://[2001:DB8::1]:7777")).toBe("http://[2001:db8::1]:7777");
    expect(parseEndpointUrl("https://game.example/arena/")).toBe("https://game.example/arena");
  });

  test.each([
    "",
    "203.0.113.7:7777",
    "ftp://203.0.113.7",
    "javascript:alert(1)",
    "http://",
    "http://user:word@203.0.113.7",
    "http://203.0.113.7/?a=b",
    "http://203.0.113.7/#a",
    "http://203.0.113.7:99999",
    "http://203.0.113.7:0",
    "http://a b",
    `http://${"a".repeat(MAX_ENDPOINT_LENGTH)}`,
    7,
    null,
    {},
  ])("refuses %j", (value) => {
    expect(() => parseEndpointUrl(value)).toThrow(RendezvousError);
  });

  test("are counted and not repeated", () => {
    const many = Array.from({ length: MAX_ENDPOINTS + 1 }, (_, i) => `http://203.0.113.7:${i + 1}`);
    expect(() => parseHostUpdate({ endpoints: many })).toThrow(/at most 32/);
    expect(parseHostUpdate({ endpoints: ["http://a/", "http://a"] })).toEqual({ endpoints: ["http://a"] });
  });
});

describe("details", () => {
  test("pass unchanged when they are right, and defaults fill the rest", () => {
    expect(parseHostDetails({ ...details, colour: "red" })).toEqual(details);
    expect(parseHostDetails({ name: "A" })).toEqual({
      name: "A",
      description: "",
      players: 0,
      maxPlayers: 0,
      version: "",
      endpoints: [],
    });
  });

  test.each([
    null,
    [],
    "x",
    {},
    { name: "" },
    { name: " \u0007 " },
    { name: 7 },
    { name: "x".repeat(65) },
    { name: "A", description: "x".repeat(281) },
    { name: "A", players: -1 },
    { name: "A", players: 1.5 },
    { name: "A", players: "2" },
    { name: "A", players: Number.NaN },
    { name: "A", maxPlayers: 1e9 },
    { name: "A", verdict: "excellent" },
    { name: "A", endpoints: "http://a" },
    { name: "A", endpoints: { length: 1e9 } },
  ])("refuses %j", (value) => {
    expect(() => parseHostDetails(value)).toThrow(RendezvousError);
  });

  test("text that would deceive the reader is cleaned", () => {
    expect(parseHostDetails({ name: "A\u202eanerA\u0000\n" }).name).toBe("A anerA");
    expect(parseHostDetails({ name: "\ud800x" }).name).toBe("\ufffdx");
  });

  test("what anybody may see holds no address", () => {
    expect(JSON.stringify(summaryOf(parseHostDetails(details)))).not.toContain("203.0.113.7");
    expect(summaryOf(parseHostDetails({ ...details, address: "203.0.113.7" }))).not.toHaveProperty("address");
  });

  test("whatever comes, only its own error is thrown, and what passes is within its limits", () => {
    const field = fc.oneof(
      fc.anything(),
      fc.string({ maxLength: 400 }),
      fc.array(fc.webUrl(), { maxLength: 40 }),
      fc.nat(),
    );
    const anything = fc.oneof(
      fc.anything(),
      fc.record(
        { name: field, description: field, players: field, maxPlayers: field, version: field, endpoints: field },
        { requiredKeys: [] },
      ),
    );
    const almostRight = fc.record(
      {
        name: fc.string({ minLength: 1, maxLength: 100, unit: "binary" }),
        description: fc.string({ maxLength: 400 }),
        players: fc.nat(),
        endpoints: fc.array(fc.webUrl(), { maxLength: 40 }),
      },
      { requiredKeys: ["name"] },
    );
    let passed = 0;
    fc.assert(
      fc.property(fc.oneof(anything, almostRight), (value) => {
        try {
          const parsed = parseHostMessage(value);
          passed++;
          expect(parsed.name.length).toBeLessThanOrEqual(64);
          expect(parsed.endpoints.length).toBeLessThanOrEqual(MAX_ENDPOINTS);
          expect(parseHostMessage(parsed)).toEqual(parsed);
        } catch (error) {
          if (!(error instanceof RendezvousError)) throw error;
        }
      }),
      { numRuns: runs },
    );
    expect(passed).toBeGreaterThan(runs / 50);
  });
});
