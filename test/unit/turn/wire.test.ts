import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { TurnStreamReader } from "../../../sdk/src/stun/stream-reader.ts";
import { ChannelDataWriter } from "../../../sdk/src/turn/channel-data.ts";
import { checkTurnCredentials, mintTurnCredentials, turnCredentialsExpiry } from "../../../sdk/src/turn/credentials.ts";
import { parseTurnUrl } from "../../../sdk/src/turn/url.ts";
import { SERVER } from "./scripted-server.ts";
import { World } from "./world.ts";

const RUNS = { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 500) };

describe("parseTurnUrl", () => {
  test.each([
    ["turn:example.org", "example.org", 3478, "udp"],
    ["turn:example.org:80", "example.org", 80, "udp"],
    ["turn:192.0.2.1:80?transport=udp", "192.0.2.1", 80, "udp"],
    ["TURN:example.org?transport=TCP", "example.org", 3478, "tcp"],
    ["turns:example.org", "example.org", 5349, "tls"],
    ["turns:example.org:443?transport=tcp", "example.org", 443, "tls"],
    ["turns:[2001:db8::1]", "2001:db8::1", 5349, "tls"],
    ["turn:[2001:db8::1]:90?transport=tcp", "2001:db8::1", 90, "tcp"],
  ] as const)("%s", (text, host, port, transport) => {
    expect(parseTurnUrl(text)).toEqual({ host, port, transport });
  });

  test.each([
    "",
    "turn:",
    "example.org:3478",
    "stun:example.org",
    "turns:example.org?transport=udp",
    "turn:example.org?transport=sctp",
    "turn:example.org:0",
    "turn:example.org:65536",
    "turn:me@example.org",
    "turn:stun:example.org",
    "turn:[nowhere]:1",
  ])("%j names none", (text) => {
    expect(parseTurnUrl(text)).toBe(null);
  });
});

describe("short-lived credentials", () => {
  test("are those that coturn computes", () => {
    // HMAC-SHA1 by openssl dgst -sha1 -hmac
    const minted = mintTurnCredentials("north", { label: "alice", ttlSeconds: 600, unixSeconds: 1_700_000_000 });
    expect(minted).toEqual({ username: "1700000600:alice", credential: "gthUwOpcRoLI0MMCziCEBOWYnpo=" });
    expect(mintTurnCredentials("north", { ttlSeconds: 1, unixSeconds: 1 }).username).toBe("2");
    expect([turnCredentialsExpiry("17:a"), turnCredentialsExpiry("17"), turnCredentialsExpiry("a:17")]).toEqual([
      17,
      17,
      null,
    ]);
  });

  test("hold until they expire, for this secret and username", () => {
    const minted = mintTurnCredentials("north", { label: "a", ttlSeconds: 60, unixSeconds: 1000 });
    const check = (change: Partial<typeof minted>, at = 1000, secret = "north"): string =>
      checkTurnCredentials(secret, { ...minted, ...change }, at);
    expect([check({}), check({}, 1060), check({}, 1061)]).toEqual(["valid", "valid", "expired"]);
    const wrong = [
      check({ username: "9999:a" }),
      check({ credential: "" }),
      check({ credential: `AAAA${minted.credential}` }),
      check({}, 1000, "south"),
      checkTurnCredentials("north", { username: "alice", credential: "word" }, 0),
    ];
    expect(new Set(wrong)).toEqual(new Set(["wrong"]));
  });
});

describe("streams", () => {
  const message = fc.uint8Array({ maxLength: 300 }).map((data) => {
    return new StunBuilder(StunMethod.DATA, "indication").add(A.DATA, data).build();
  });
  const channelData = fc
    .tuple(fc.integer({ min: 0x4000, max: 0x4fff }), fc.uint8Array({ maxLength: 3000 }))
    .map(([channel, data]) => Buffer.from(new ChannelDataWriter(true).frame(channel, data)));

  test("whatever the cuts, the same frames come out", () => {
    const frames = fc.array(fc.oneof(message, channelData), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent);
        const reader = new TurnStreamReader();
        const got: string[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          expect(
            reader.push(Buffer.from(stream.subarray(at, at + size)), (frame) => got.push(frame.toString("hex"))),
          ).toBe(true);
          at += size;
        }
        const whole = sent.map((frame) => {
          const channel = (frame[0] ?? 0) >= 0x40;
          return frame.subarray(0, channel ? 4 + frame.readUInt16BE(2) : frame.length).toString("hex");
        });
        expect(got).toEqual(whole);
      }),
      RUNS,
    );
  });

  test("padding shows nothing of what was sent before", () => {
    const writer = new ChannelDataWriter(true);
    writer.frame(0x4000, Buffer.alloc(100, 0xff));
    expect(writer.frame(0x4001, Buffer.of(7)).toString("hex")).toBe("4001000107000000");
    expect(new ChannelDataWriter(false).frame(0x4001, Buffer.of(7)).toString("hex")).toBe("4001000107");
  });

  test("what is no TURN is refused as soon as that shows", () => {
    const push = (...chunks: (string | Buffer)[]): boolean[] => {
      const reader = new TurnStreamReader();
      return chunks.map((chunk) => reader.push(Buffer.from(chunk), () => {}));
    };
    expect(push("HTTP/1.1 400 Bad Request\r\n")).toEqual([true]); // "H" may be a channel's
    expect(push("\u0016\u0003\u0001")).toEqual([true]);
    expect(push("\u0000\u0001\u0000\u0001")).toEqual([false]);
    expect(push("\u0000\u0001\u0000\u0004nope")).toEqual([false]);
    expect(push("\u0000", "\u0001\u0000\u0004nope")).toEqual([true, false]);
    expect(push(Buffer.of(0x80))).toEqual([false]);
  });

  test("any bytes do no harm", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 })), (chunks) => {
        const reader = new TurnStreamReader();
        for (const chunk of chunks) if (!reader.push(Buffer.from(chunk), () => {})) break;
      }),
      RUNS,
    );
  });
});

test("no datagram makes an allocation throw, end, or let foreign data through", () => {
  const world = new World().allocate();
  world.allocation.permit("203.0.113.50", world.now);
  world.run(100);
  const types = fc.constantFrom(0x0017, 0x0103, 0x0113, 0x0104, 0x0114, 0x0108, 0x0118, 0x0109, 0x0119, 0x0101, 0x0003);
  const attribute = fc.tuple(
    fc.constantFrom<number>(...Object.values(A)),
    fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(Buffer.from("0001a147e112a643", "hex"))),
  );
  const stun = fc.tuple(types, fc.array(attribute, { maxLength: 8 })).map(([type, attributes]) => {
    const builder = new StunBuilder(StunMethod.BINDING, "request");
    for (const [name, value] of attributes) builder.add(name, value);
    const bytes = builder.build();
    bytes.writeUInt16BE(type, 0);
    return bytes;
  });
  const channel = fc.uint8Array({ maxLength: 80 }).map((tail) => Buffer.concat([Buffer.of(0x40), tail]));
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(stun, channel, any), (bytes) => {
      world.allocation.receive(bytes, SERVER.address, SERVER.port, world.now);
    }),
    RUNS,
  );
  // Only an indication that names the permitted address may have come through.
  expect(world.received.filter(({ address }) => address !== "203.0.113.50")).toEqual([]);
  expect([world.allocation.state, world.ended]).toEqual(["allocated", null]);
});
