import fc from "fast-check";
import { expect, test } from "vitest";
import { BATCH, encodeBatch, readBatch } from "../../../../sdk/src/colyseus/wire/frame-batch.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 300);
const read = (batch: Uint8Array): { frames: Uint8Array[]; whole: boolean } => {
  const frames: Uint8Array[] = [];
  const whole = readBatch(batch, (frame) => frames.push(frame) > 0);
  return { frames, whole };
};

test("what is written is read again", () => {
  const frame = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 40 }),
    fc.uint8Array({ minLength: 120, maxLength: 140 }),
  );
  fc.assert(
    fc.property(fc.array(frame, { minLength: 2, maxLength: 20 }), (frames) => {
      const batch = encodeBatch(frames);
      expect(batch[0]).toBe(BATCH);
      expect(read(batch)).toEqual({ frames, whole: true });
    }),
    { numRuns },
  );
  const long = [new Uint8Array(0x3fff).fill(1), new Uint8Array(0x4000).fill(2), new Uint8Array(0x20_0000).fill(3)];
  expect(read(encodeBatch(long)).frames.map(({ length }) => length)).toEqual([0x3fff, 0x4000, 0x20_0000]);
});

test("a reader who has enough is not bothered any more", () => {
  const batch = encodeBatch([new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([3])]);
  const seen: (number | undefined)[] = [];
  expect(readBatch(batch, ([first]) => seen.push(first) < 2)).toBe(true);
  expect(seen).toEqual([1, 2]);
});

test("nothing that comes from outside makes it throw, or reads past the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const batch = new Uint8Array([BATCH, ...bytes]);
      const { frames, whole } = read(batch);
      const size = frames.reduce((sum, { length }) => sum + length, 0);
      expect(size).toBeLessThanOrEqual(bytes.length);
      if (whole && frames.length > 1) expect(read(encodeBatch(frames)).frames).toEqual(frames);
    }),
    { numRuns },
  );
  for (const bad of [[0], [2, 1], [0x80], [0x81, 0x80, 0x80, 0x80, 1, 9], [0xff, 0xff, 0xff, 0x7f, 1]]) {
    expect(read(new Uint8Array([BATCH, ...bad])), String(bad)).toEqual({ frames: [], whole: false });
  }
});
