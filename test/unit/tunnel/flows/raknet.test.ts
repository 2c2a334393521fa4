import { expect, test } from "vitest";
import { isRakNetProbe } from "../../../../sdk/src/tunnel/flows/raknet.ts";

const MAGIC = Buffer.from("00ffff00fefefefefdfdfdfd12345678", "hex");
const probe = Buffer.concat([Buffer.from([5]), MAGIC, Buffer.alloc(1447)]);

test("RakNet's padded request is known, whatever its length", () => {
  expect(isRakNetProbe(probe)).toBe(true);
  expect(isRakNetProbe(probe.subarray(0, 17))).toBe(true);
});

test("nothing else is taken for one", () => {
  expect(isRakNetProbe(probe.subarray(0, 16))).toBe(false);
  expect(isRakNetProbe(Buffer.concat([Buffer.from([7]), probe.subarray(1)]))).toBe(false);
  for (let n = 1; n <= MAGIC.length; n++) {
    const other = Buffer.from(probe);
    other[n] = (other[n] ?? 0) ^ 1;
    expect(isRakNetProbe(other)).toBe(false);
  }
});
