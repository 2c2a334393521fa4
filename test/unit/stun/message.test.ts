import { createHmac } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { canonicalAddress } from "../../../sdk/src/net/address.ts";
import { readAddress, writeAddress } from "../../../sdk/src/stun/address.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { longTermKey, shortTermKey, userHash } from "../../../sdk/src/stun/integrity.ts";
import { isStun, messageType, type StunClass, StunMessage } from "../../../sdk/src/stun/message.ts";
import * as vectors from "./vectors.ts";

const runs = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const A = StunAttribute;

function decode(data: Uint8Array): StunMessage {
  const message = StunMessage.decode(data);
  if (message === null) throw new Error("not a STUN message");
  return message;
}

describe("RFC 5769", () => {
  const key = shortTermKey(vectors.SHORT_TERM_PASSWORD);

  test("sample request", () => {
    const request = decode(vectors.SAMPLE_REQUEST);
    expect([request.class, request.method]).toEqual(["request", StunMethod.BINDING]);
    expect(request.transactionId.toString("hex")).toBe("b7e7a701bc34d686fa87dfae");
    expect([request.text(A.SOFTWARE), request.text(A.USERNAME)]).toEqual(["STUN test client", "evtj:h6vY"]);
    expect([request.uint32(A.PRIORITY), request.uint64(A.ICE_CONTROLLED)]).toEqual([0x6e0001ff, 0x932ff9b151263b36n]);
    expect([request.integrityMatches(key), request.fingerprintMatches()]).toEqual([true, true]);
    expect([request.integrityMatches(shortTermKey("x")), request.integrityMatches(key, "sha256")]).toEqual([
      false,
      undefined,
    ]);
  });

  test.each([
    ["IPv4", vectors.IPV4_RESPONSE, "192.0.2.1"],
    ["IPv6", vectors.IPV6_RESPONSE, "2001:db8:1234:5678:11:2233:4455:6677"],
  ])("sample %s response", (_, bytes, address) => {
    const response = decode(bytes);
    expect(response.class).toBe("success");
    expect(response.mappedAddress()).toEqual({ address, port: 32853 });
    expect(response.text(A.SOFTWARE)).toBe("test vector");
    expect([response.integrityMatches(key), response.fingerprintMatches()]).toEqual([true, true]);
  });

  test("sample request with long-term authentication, read and written", () => {
    const request = decode(vectors.LONG_TERM_REQUEST);
    const { LONG_TERM_USERNAME: username, LONG_TERM_REALM: realm, LONG_TERM_PASSWORD: password } = vectors;
    const longTerm = longTermKey(username, realm, password);
    expect([request.text(A.USERNAME), request.text(A.REALM)]).toEqual([username, realm]);
    expect(request.integrityMatches(longTerm)).toBe(true);
    const written = new StunBuilder(StunMethod.BINDING, "request", request.transactionId)
      .text(A.USERNAME, username)
      .text(A.NONCE, "f//499k954d6OL34oL9FSTvy64sA")
      .text(A.REALM, realm)
      .integrity(longTerm)
      .build();
    expect(written).toEqual(vectors.LONG_TERM_REQUEST);
  });

  test("RFC 8489's request with SHA-256 and USERHASH", () => {
    const { LONG_TERM_USERNAME: username, LONG_TERM_REALM: realm, LONG_TERM_PASSWORD: password } = vectors;
    expect(userHash(username, realm)).toEqual(vectors.SHA256_REQUEST.subarray(24, 56));
    const key = longTermKey(username, realm, password, "sha256");
    expect(createHmac("sha256", key).update(vectors.SHA256_REQUEST).digest()).toEqual(vectors.SHA256_INTEGRITY);
    expect(StunMessage.decode(vectors.SHA256_REQUEST)).toBeNull();
  });

  test("every flipped bit breaks integrity or fingerprint", () => {
    for (let bit = 0; bit < vectors.SAMPLE_REQUEST.length * 8; bit++) {
      const bytes = Buffer.from(vectors.SAMPLE_REQUEST);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const message = StunMessage.decode(bytes);
      const whole = message?.fingerprintMatches() === true && message.integrityMatches(key) === true;
      expect(whole, `bit ${bit}`).toBe(false);
    }
  });
});

describe("reading", () => {
  const empty = new StunBuilder(StunMethod.BINDING, "request").build();

  test("every truncation and extension is refused", () => {
    for (let length = 0; length < vectors.IPV4_RESPONSE.length; length++) {
      expect(StunMessage.decode(vectors.IPV4_RESPONSE.subarray(0, length))).toBeNull();
    }
    expect(StunMessage.decode(Buffer.concat([vectors.IPV4_RESPONSE, Buffer.alloc(4)]))).toBeNull();
    expect(isStun(empty)).toBe(true);
    expect(decode(empty).attributes).toEqual([]);
  });

  test("game packets are not taken for STUN", () => {
    const netcodeRequest = Buffer.alloc(1078);
    netcodeRequest.write("NETCODE 1.02\0", 1);
    for (const data of [Buffer.alloc(0), Buffer.alloc(20), netcodeRequest, Buffer.alloc(1200, 0x40)]) {
      expect(isStun(data)).toBe(false);
    }
  });

  test("an attribute whose length lies is refused", () => {
    const bytes = new StunBuilder(StunMethod.BINDING, "request").text(A.SOFTWARE, "test").build();
    for (const length of [5, 8, 0xffff]) {
      bytes.writeUInt16BE(length, 22);
      expect(StunMessage.decode(bytes)).toBeNull();
    }
  });

  test("too many attributes are refused", () => {
    const builder = new StunBuilder(StunMethod.BINDING, "request");
    for (let i = 0; i < 65; i++) builder.flag(A.USE_CANDIDATE);
    expect(StunMessage.decode(builder.build())).toBeNull();
  });

  test("what follows integrity is ignored, but the stronger integrity and the fingerprint", () => {
    const key = Buffer.from("key");
    const bytes = new StunBuilder(StunMethod.BINDING, "request")
      .integrity(key)
      .uint32(A.PRIORITY, 1)
      .integrity(key, "sha256")
      .flag(A.USE_CANDIDATE)
      .fingerprint()
      .build();
    const message = decode(bytes);
    expect([message.has(A.PRIORITY), message.has(A.USE_CANDIDATE)]).toEqual([false, false]);
    expect([message.integrityMatches(key), message.integrityMatches(key, "sha256")]).toEqual([true, true]);
    expect(message.fingerprintMatches()).toBe(true);
    expect(StunMessage.decode(new StunBuilder(1, "request").fingerprint().flag(A.USE_CANDIDATE).build())).toBeNull();
  });

  test("integrity of a wrong size is wrong; a shortened SHA-256 of 16 bytes is not", () => {
    const key = Buffer.from("key");
    const whole = decode(new StunBuilder(1, "request").integrity(key, "sha256").build());
    expect(whole.integrityMatches(key, "sha256")).toBe(true);
    for (const size of [0, 12, 18, 36]) {
      const cut = new StunBuilder(1, "request").add(A.MESSAGE_INTEGRITY_SHA256, Buffer.alloc(size)).build();
      expect(decode(cut).integrityMatches(key, "sha256")).toBe(false);
    }
    const sha1 = new StunBuilder(1, "request").add(A.MESSAGE_INTEGRITY, Buffer.alloc(16)).build();
    expect(decode(sha1).integrityMatches(key)).toBe(false);
  });

  test("the first of repeated attributes counts; unknown ones that matter are listed once", () => {
    const message = decode(
      new StunBuilder(1, "request")
        .text(A.REALM, "one")
        .text(A.REALM, "two")
        .flag(0x7777)
        .flag(0x7777)
        .flag(0xfff0)
        .build(),
    );
    expect([message.text(A.REALM), message.all(A.REALM).length]).toEqual(["one", 2]);
    expect(message.unknownRequired(new Set([A.REALM]))).toEqual([0x7777]);
  });

  test("broken values are null or undefined", () => {
    const message = decode(
      new StunBuilder(1, "error")
        .add(A.ERROR_CODE, Buffer.of(0, 0, 7, 0))
        .add(A.XOR_MAPPED_ADDRESS, Buffer.of(0, 3, 0, 1, 1, 2, 3, 4))
        .add(A.MAPPED_ADDRESS, Buffer.of(0, 2, 0, 1, 1, 2, 3, 4))
        .add(A.PRIORITY, Buffer.of(1))
        .add(A.UNKNOWN_ATTRIBUTES, Buffer.of(1, 2, 3))
        .add(A.FINGERPRINT, Buffer.of(1))
        .build(),
    );
    expect([message.errorCode(), message.mappedAddress(), message.uint32(A.PRIORITY)]).toEqual([null, null, undefined]);
    expect([message.unknownAttributes(), message.fingerprintMatches()]).toEqual([[0x0102], false]);
  });

  test("nothing throws", () => {
    const anyMessage = fc
      .tuple(
        fc.uint8Array({ minLength: 8, maxLength: 200 }),
        fc.nat(3),
        fc.constantFrom(0x0101, 0x0001, 0x0111, 0x0113),
      )
      .map(([body, mode, type]) => {
        const data = Buffer.concat([Buffer.alloc(20, 7), body.subarray(0, body.length & ~3)]);
        data.writeUInt16BE(type, 0);
        data.writeUInt16BE(data.length - 20, 2);
        data.writeUInt32BE(0x2112a442, 4);
        // Attributes whose types we know and whose lengths are plausible go deeper than noise.
        const types = Object.values(A);
        if (mode > 0)
          for (let at = 20; at + 8 <= data.length; at += 4 + 4 * mode) {
            data.writeUInt16BE(types[(data[at] ?? 0) % types.length] ?? 0, at);
            data.writeUInt16BE(mode * 4, at + 2);
          }
        return data;
      });
    fc.assert(
      fc.property(fc.oneof(anyMessage, fc.uint8Array({ maxLength: 100 })), (data) => {
        const message = StunMessage.decode(data);
        if (message === null) return;
        message.mappedAddress();
        message.errorCode();
        message.unknownAttributes();
        message.unknownRequired(new Set());
        message.fingerprintMatches();
        message.integrityMatches(Buffer.from("key"));
        message.integrityMatches(Buffer.from("key"), "sha256");
        for (const type of Object.values(A)) {
          message.address(type);
          message.xorAddress(type);
          message.uint32(type);
          message.uint64(type);
          message.text(type);
        }
      }),
      { numRuns: runs },
    );
  });
});

describe("writing", () => {
  const classes: StunClass[] = ["request", "indication", "success", "error"];

  test("types are the specification's", () => {
    expect(classes.map((cls) => messageType(StunMethod.BINDING, cls))).toEqual([0x0001, 0x0011, 0x0101, 0x0111]);
    expect([messageType(StunMethod.ALLOCATE, "error"), messageType(0xfff, "error")]).toEqual([0x0113, 0x3fff]);
  });

  test("what is written is read back", () => {
    const endpoint = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.nat(65535) });
    fc.assert(
      fc.property(
        fc.nat(0xfff),
        fc.constantFrom(...classes),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.array(fc.tuple(fc.integer({ min: 0x7000, max: 0x7fff }), fc.uint8Array({ maxLength: 300 })), {
          maxLength: 20,
        }),
        endpoint,
        endpoint,
        fc.integer({ min: 300, max: 699 }),
        fc.string({ unit: "grapheme", maxLength: 40 }),
        (method, cls, id, attributes, mapped, other, code, reason) => {
          const builder = new StunBuilder(method, cls, id);
          for (const [type, value] of attributes) builder.add(type, value);
          const key = Buffer.from("key");
          const bytes = builder
            .xorAddress(A.XOR_MAPPED_ADDRESS, mapped)
            .address(A.OTHER_ADDRESS, other)
            .errorCode(code, reason)
            .uint64(A.ICE_CONTROLLING, 2n ** 64n - 1n)
            .integrity(key)
            .integrity(key, "sha256")
            .fingerprint()
            .build();
          const message = decode(bytes);
          expect([message.method, message.class, Buffer.from(id)]).toEqual([method, cls, message.transactionId]);
          for (const [i, [type, value]] of attributes.entries()) {
            expect([message.attributes[i]?.type, message.attributes[i]?.value]).toEqual([type, Buffer.from(value)]);
          }
          expect(message.mappedAddress()).toEqual({ address: canonicalAddress(mapped.address), port: mapped.port });
          expect(message.address(A.OTHER_ADDRESS)).toEqual({
            address: canonicalAddress(other.address),
            port: other.port,
          });
          expect(message.errorCode()).toEqual({ code, reason });
          expect(message.uint64(A.ICE_CONTROLLING)).toBe(2n ** 64n - 1n);
          expect([message.integrityMatches(key), message.integrityMatches(key, "sha256")]).toEqual([true, true]);
          expect(message.fingerprintMatches()).toBe(true);
        },
      ),
      { numRuns: Math.min(runs, 5000) },
    );
  });

  test("wrong use is a RangeError", () => {
    expect(() => new StunBuilder(1, "request", Buffer.alloc(11))).toThrow(RangeError);
    expect(() => new StunBuilder(1, "error").errorCode(299, "")).toThrow(RangeError);
    expect(() => new StunBuilder(1, "success").address(A.MAPPED_ADDRESS, { address: "x", port: 1 })).toThrow(
      RangeError,
    );
    expect(() => new StunBuilder(1, "request").add(A.DATA, Buffer.alloc(65535)).add(A.DATA, Buffer.alloc(9))).toThrow(
      RangeError,
    );
  });
});

describe("addresses", () => {
  test("the zone of an address stays at home (RFC 4007 section 6)", () => {
    const there = writeAddress({ address: "fe80::1%eth0", port: 7 });
    expect(there.toString("hex")).toBe("00020007fe800000000000000000000000000001");
    expect(readAddress(there)).toEqual({ address: "fe80::1", port: 7 });
  });

  test("text that is no address is not written", () => {
    for (const address of ["", "router.local", "010.0.0.1", "::1::"])
      expect(() => writeAddress({ address, port: 7 }), address).toThrow(RangeError);
  });

  test("an IPv4 address mapped into IPv6 is read as IPv4", () => {
    expect(readAddress(writeAddress({ address: "::ffff:192.0.2.1", port: 7 }))).toEqual({
      address: "192.0.2.1",
      port: 7,
    });
  });
});
