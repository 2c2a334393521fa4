import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeSeat, encodeSeat } from "../../../../sdk/src/colyseus/wire/seat.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const name = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" }).filter((text) => text.isWellFormed());

test("the layout stands as documented", () => {
  const bytes = encodeSeat({ roomId: "ab", sessionId: "c", reconnectionToken: "dé", skipHandshake: true });
  expect(bytes?.length).toBe(256);
  expect(
    Buffer.from(bytes ?? [])
      .toString("hex")
      .replace(/(00)+$/, ""),
  ).toBe("010102616201630364c3a9");
});

test("what is written is read, or does not fit", () => {
  fc.assert(
    fc.property(
      name,
      name,
      fc.option(name, { nil: "" }),
      fc.boolean(),
      (roomId, sessionId, reconnectionToken, skipHandshake) => {
        const seat = { roomId, sessionId, reconnectionToken, skipHandshake };
        const bytes = encodeSeat(seat);
        const length = 5 + Buffer.byteLength(roomId + sessionId + reconnectionToken);
        if (length > 256) expect(bytes).toBeNull();
        else expect(decodeSeat(bytes ?? new Uint8Array(0))).toEqual(seat);
      },
    ),
    { numRuns },
  );
});

test("a name longer than a length byte says does not fit", () => {
  expect(
    encodeSeat({ roomId: "x".repeat(256), sessionId: "s", reconnectionToken: "", skipHandshake: false }),
  ).toBeNull();
});

test("no bytes make it throw, and other people's user data are no seat", () => {
  expect(decodeSeat(new Uint8Array(256))).toBeNull();
  expect(decodeSeat(new Uint8Array(0))).toBeNull();
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 256, maxLength: 256 }), (bytes) => {
      bytes[0] = 1;
      const seat = decodeSeat(bytes);
      if (seat) expect(seat.roomId && seat.sessionId).not.toBe("");
    }),
    { numRuns },
  );
});
