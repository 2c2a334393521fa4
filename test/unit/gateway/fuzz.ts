import * as fc from "fast-check";

/** How many mutated inputs each property sees: some thousands by default, as many as the environment says otherwise. */
export const RUNS: number = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 2000);

/** Bytes that were right once: cut, lengthened, overwritten, with pieces doubled or swapped. */
export function mutated(...seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.constantFrom("set", "cut", "insert", "double", "fill"),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 64 }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 8 })).map(([seed, edits]) => {
    let bytes = Buffer.from(seed);
    for (const { kind, at, length, byte } of edits) {
      const index = Math.floor(at * bytes.length);
      const piece = bytes.subarray(index, index + length);
      if (kind === "set" && bytes.length > 0) bytes[Math.min(index, bytes.length - 1)] = byte;
      else if (kind === "cut") bytes = Buffer.concat([bytes.subarray(0, index), bytes.subarray(index + length)]);
      else if (kind === "insert")
        bytes = Buffer.concat([bytes.subarray(0, index), Buffer.alloc(length, byte), bytes.subarray(index)]);
      else if (kind === "double")
        bytes = Buffer.concat([bytes.subarray(0, index), piece, piece, bytes.subarray(index)]);
      else piece.fill(byte);
    }
    return new Uint8Array(bytes);
  });
}
