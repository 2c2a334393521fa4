import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, CHANGE_IP, CHANGE_PORT, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";
import { respondToStun, type StunLocal } from "../../../sdk/src/stun/responder.ts";
import { SAMPLE_REQUEST } from "./vectors.ts";

const runs = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const source = { address: "203.0.113.9", port: 40_000 };
const origin = { address: "192.0.2.1", port: 3478 };
const other = { address: "192.0.2.2", port: 3479 };

function request(change?: number): StunBuilder {
  const builder = new StunBuilder(StunMethod.BINDING, "request");
  return change === undefined ? builder : builder.uint32(A.CHANGE_REQUEST, change);
}

function answer(data: Uint8Array, local: StunLocal = {}): { message: StunMessage; from: [boolean, boolean] } {
  const reply = respondToStun(data, source, local);
  const message = reply === null ? null : StunMessage.decode(reply.data);
  if (reply === null || message === null) throw new Error("no answer");
  return { message, from: [reply.changeAddress, reply.changePort] };
}

test("answers with the source, and with no more than fits into 1.6 times the request", () => {
  const builder = request();
  const { message } = answer(builder.build(), { origin });
  expect([message.class, message.transactionId]).toEqual(["success", Buffer.from(builder.transactionId)]);
  expect(message.mappedAddress()).toEqual(source);
  expect(message.attributes).toHaveLength(1);
});

test("a longer request is told where it arrived, and by whom", () => {
  const long = request().text(A.USERNAME, "x".repeat(60)).build();
  expect(answer(long, { origin }).message.address(A.RESPONSE_ORIGIN)).toEqual(origin);
  expect(answer(long).message.has(A.SOFTWARE)).toBe(false);
  const named = StunMessage.decode(respondToStun(long, source, {}, { software: "sallyport" })?.data ?? Buffer.alloc(0));
  expect(named?.text(A.SOFTWARE)).toBe("sallyport");
});

test("a fingerprint is answered with one, a broken one not at all", () => {
  const bytes = request().fingerprint().build();
  expect(answer(bytes).message.fingerprintMatches()).toBe(true);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  expect(respondToStun(bytes, source)).toBeNull();
});

test("unknown attributes that must be understood are refused with 420 and named", () => {
  const { message } = answer(request().flag(0x7001).flag(A.PADDING).flag(0xff00).build());
  expect([message.class, message.errorCode()?.code, message.unknownAttributes()]).toEqual([
    "error",
    420,
    [0x7001, A.PADDING],
  ]);
  expect(answer(SAMPLE_REQUEST).message.unknownAttributes()).toEqual([A.PRIORITY]);
});

test("credentials are not looked at", () => {
  const { message } = answer(request().text(A.USERNAME, "u").integrity(Buffer.from("k")).build());
  expect(message.mappedAddress()).toEqual(source);
});

test.each(["indication", "success", "error"] as const)("an %s has no answer", (cls) => {
  expect(respondToStun(new StunBuilder(StunMethod.BINDING, cls).build(), source)).toBeNull();
});

test("other methods, forged source ports and junk have no answer", () => {
  expect(respondToStun(new StunBuilder(StunMethod.ALLOCATE, "request").build(), source)).toBeNull();
  expect(respondToStun(request().build(), { ...source, port: 0 })).toBeNull();
  expect(respondToStun(Buffer.from("junk"), source)).toBeNull();
});

describe("RFC 5780", () => {
  test.each([
    [0, [false, false], origin],
    [CHANGE_IP, [true, false], { address: other.address, port: origin.port }],
    [CHANGE_PORT, [false, true], { address: origin.address, port: other.port }],
    [CHANGE_IP | CHANGE_PORT, [true, true], other],
  ])("change request %i", (change, from, responseOrigin) => {
    const reply = answer(request(change).build(), { origin, other });
    expect(reply.from).toEqual(from);
    expect(reply.message.address(A.RESPONSE_ORIGIN)).toEqual(responseOrigin);
    expect(reply.message.address(A.OTHER_ADDRESS)).toEqual(other);
  });

  test("without another address a change is refused; with another port alone the port may change", () => {
    expect(answer(request(CHANGE_PORT).build(), { origin }).message.unknownAttributes()).toEqual([A.CHANGE_REQUEST]);
    const local = { origin, otherPort: true };
    expect(answer(request(CHANGE_PORT).build(), local).from).toEqual([false, true]);
    expect(answer(request(CHANGE_IP).build(), local).message.unknownAttributes()).toEqual([A.CHANGE_REQUEST]);
    expect(answer(request(CHANGE_IP).build(), local).from).toEqual([false, false]);
  });
});

describe("RESPONSE-PORT", () => {
  test("another port of the source gets the answer, also from a server with one address", () => {
    const data = request()
      .uint32(A.RESPONSE_PORT, 50_000 * 0x1_0000)
      .build();
    const reply = respondToStun(data, source, { origin });
    expect([reply?.port, reply?.changeAddress, reply?.changePort]).toEqual([50_000, false, false]);
    expect(StunMessage.decode(reply?.data ?? Buffer.alloc(0))?.mappedAddress()).toEqual(source);
  });

  test("a port of 0, and a value that is too short, are none", () => {
    expect(respondToStun(request().uint32(A.RESPONSE_PORT, 0x1234).build(), source)?.port).toBe(source.port);
    expect(
      respondToStun(
        request()
          .add(A.RESPONSE_PORT, Buffer.from([0xc3]))
          .build(),
        source,
      )?.port,
    ).toBe(source.port);
  });

  test("never along with PADDING, which would make large answers (RFC 5780 section 7.6)", () => {
    const padded = request()
      .uint32(A.RESPONSE_PORT, 50_000 * 0x1_0000)
      .add(A.PADDING, Buffer.alloc(1400));
    const reply = respondToStun(padded.build(), source);
    expect(reply?.port).toBe(source.port);
    expect(StunMessage.decode(reply?.data ?? Buffer.alloc(0))?.errorCode()?.code).toBe(420);
  });
});

/** Payload over payload: the least that a 20-byte request can be answered with, and what may be beyond. */
test.each([
  ["IPv4", source, {}, 1.6],
  ["IPv4, own address known", source, { origin }, 1.6],
  ["IPv6", { address: "2001:db8::9", port: 40_000 }, {}, 2.2],
  ["IPv4, RFC 5780 with two addresses", source, { origin, other }, 2.8],
] as [string, typeof source, StunLocal, number][])(
  "is never more than that of a request: %s, %s %s %f",
  (_what, from, local, most) => {
    const attribute = fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(fc.array(attribute, { maxLength: 70 }), fc.boolean(), (attributes, sealed) => {
        const builder = request();
        for (const [type, value] of attributes) builder.add(type, value);
        if (sealed) builder.fingerprint();
        const bytes = builder.build();
        const reply = respondToStun(bytes, from, local, { software: "x".repeat(127) });
        if (reply !== null) expect(reply.data.length).toBeLessThanOrEqual(most * bytes.length);
      }),
      { numRuns: runs },
    );
  },
);
