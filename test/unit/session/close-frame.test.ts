import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeClose, encodeClose } from "../../../sdk/src/session/close-frame.ts";

test("what is written is read", () => {
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.nat(0xffffffff),
      fc.string({ maxLength: 123, unit: "grapheme-ascii" }),
      (code, after, text) => {
        expect(decodeClose(encodeClose({ code, after, text }))).toEqual({ code, after, text });
      },
    ),
  );
});

test("a long reason is cut between characters", () => {
  const frame = decodeClose(encodeClose({ code: 4000, after: 0, text: "ä".repeat(200) }));
  expect(frame?.text).toBe("ä".repeat(61));
});

test("no bytes make it throw, and only a close frame is one", () => {
  expect(decodeClose(new Uint8Array(0))).toBeNull();
  expect(decodeClose(new Uint8Array(131))).toBeNull();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const frame = decodeClose(bytes);
      if (bytes[0] !== 1) expect(frame).toBeNull();
    }),
  );
});
