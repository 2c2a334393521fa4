import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeLanPacket,
  encodeAnnouncement,
  encodeGoodbye,
  encodeLocated,
  encodeLookup,
  encodeQuery,
  MAX_ANNOUNCEMENT_BYTES,
  MAX_APPLICATION_BYTES,
  MAX_NAME_BYTES,
  MAX_VERSION_BYTES,
  QUERY_BYTES,
  shortened,
} from "../../../sdk/src/lan/packet.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 2000);
const ID = "0123456789abcdef";
const details = { application: "arena", name: "Ann's", port: 7777, players: 2, maxPlayers: 16, version: "1.0" };

describe("packets", () => {
  test("are written as they are described", () => {
    const hex = Buffer.from(encodeAnnouncement(ID, details)).toString("hex");
    const text = (value: string): string =>
      value.length.toString(16).padStart(2, "0") + Buffer.from(value).toString("hex");
    expect(hex).toBe(`53504c4e0102${ID}1e6100020010${text("arena")}${text("Ann's")}${text("1.0")}`);
    expect(encodeQuery("arena")).toHaveLength(QUERY_BYTES);
    expect(Buffer.from(encodeGoodbye(ID, "arena")).toString("hex")).toBe(`53504c4e0103${ID}${text("arena")}`);
  });

  test("are read as they were written", () => {
    expect(decodeLanPacket(encodeAnnouncement(ID, details))).toEqual({ kind: "announcement", id: ID, ...details });
    expect(decodeLanPacket(encodeQuery("arena"))).toEqual({ kind: "query", application: "arena" });
    expect(decodeLanPacket(encodeGoodbye(ID, "arena"))).toEqual({ kind: "goodbye", id: ID, application: "arena" });
    const endpoint = "[2a11:2222:3333:4444:5555:6666:7777:8888]:65535";
    expect(decodeLanPacket(encodeLookup(endpoint))).toEqual({ kind: "lookup", endpoint });
    expect(decodeLanPacket(encodeLocated(ID, 7777, endpoint))).toEqual({
      kind: "located",
      id: ID,
      port: 7777,
      endpoint,
    });
  });

  test("with more at their end are read too, for later versions", () => {
    expect(decodeLanPacket(Buffer.concat([encodeAnnouncement(ID, details), Buffer.alloc(20, 7)]))).toMatchObject(
      details,
    );
  });

  test("cut short anywhere are none", () => {
    for (const whole of [
      encodeAnnouncement(ID, details),
      encodeQuery("arena"),
      encodeGoodbye(ID, "arena"),
      encodeLookup("11.0.1.2:7777"),
      encodeLocated(ID, 7777, "11.0.1.2:7777"),
    ]) {
      for (let length = 0; length < whole.length; length++) {
        expect(decodeLanPacket(whole.subarray(0, length))).toBeUndefined();
      }
    }
  });

  test("no query is answered by more than its length", () => {
    const longest = {
      ...details,
      application: "a".repeat(500),
      name: "é".repeat(500),
      version: "1".repeat(500),
    };
    expect(encodeAnnouncement(ID, longest).length).toBeLessThanOrEqual(MAX_ANNOUNCEMENT_BYTES);
    expect(MAX_ANNOUNCEMENT_BYTES).toBeLessThanOrEqual(QUERY_BYTES);
    expect(encodeLookup("11.0.1.2:7777")).toHaveLength(QUERY_BYTES);
    expect(encodeLocated(ID, 7777, "x".repeat(500)).length).toBeLessThanOrEqual(QUERY_BYTES);
    expect(decodeLanPacket(encodeLookup("11.0.1.2:7777").subarray(0, QUERY_BYTES - 1))).toBeUndefined();
    expect(decodeLanPacket(encodeQuery("arena").subarray(0, QUERY_BYTES - 1))).toBeUndefined();
  });

  test("text that would deceive the reader is cleaned, and cut between characters", () => {
    const name = "\u202eanerA\u0007";
    expect(decodeLanPacket(encodeAnnouncement(ID, { ...details, name }))).toMatchObject({ name: "anerA" });
    expect(shortened("日本語", 7)).toBe("日本");
    // One that did not clean what it sent.
    const dirty = encodeAnnouncement(ID, { ...details, name: "xxx" });
    dirty.set([0x1b, 0x5b, 0x41], dirty.indexOf(0x78));
    expect(decodeLanPacket(dirty)).toMatchObject({ name: "[A" });
  });

  test("without a name, an application or a port are none", () => {
    for (const part of [{ name: "" }, { application: "" }, { port: 0 }, { name: "\u0007" }]) {
      expect(decodeLanPacket(encodeAnnouncement(ID, { ...details, ...part }))).toBeUndefined();
    }
  });

  test("what is written is read again", () => {
    const text = fc.string({ maxLength: 60, unit: "binary" });
    const some = fc.record({
      application: text,
      name: text,
      version: text,
      port: fc.integer({ min: 1, max: 65_535 }),
      players: fc.nat(65_535),
      maxPlayers: fc.nat(65_535),
    });
    fc.assert(
      fc.property(some, (value) => {
        const application = shortened(value.application, MAX_APPLICATION_BYTES);
        const name = shortened(value.name, MAX_NAME_BYTES);
        const version = shortened(value.version, MAX_VERSION_BYTES);
        const packet = encodeAnnouncement(ID, value);
        const expected = { kind: "announcement", id: ID, ...value, application, name, version };
        expect(decodeLanPacket(packet)).toEqual(application && name ? expected : undefined);
      }),
      { numRuns: runs / 4 },
    );
  });

  test("whatever comes, nothing throws, and what passes can be written again", () => {
    const start = fc.constantFrom([1], [2], [3], [4], [5]).map((kind) => [0x53, 0x50, 0x4c, 0x4e, 1, ...kind]);
    const almost = fc
      .tuple(start, fc.uint8Array({ maxLength: 300 }))
      .map(([head, rest]) => Uint8Array.of(...head, ...rest));
    const changed = fc
      .tuple(fc.nat(70), fc.nat(255))
      .map(([at, byte]) => encodeAnnouncement(ID, details).with(at % encodeAnnouncement(ID, details).length, byte));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), almost, changed), (datagram) => {
        const packet = decodeLanPacket(datagram);
        if (packet?.kind !== "announcement") return;
        const { kind: _kind, id, ...rest } = packet;
        expect(decodeLanPacket(encodeAnnouncement(id, rest))).toEqual(packet);
      }),
      { numRuns: runs },
    );
  });
});
