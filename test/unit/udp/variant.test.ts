import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { decodeVariant, encodeVariant, GodotFloat, type Variant } from "../../../sdk/src/udp/variant.ts";

const runs = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);

// var2bytes(…).hex_encode() of Godot 3.2.3.
const GODOT_3: [Variant, string][] = [
  [null, "00000000"],
  [true, "0100000001000000"],
  [5, "0200000005000000"],
  [-5, "02000000fbffffff"],
  [5_000_000_000, "0200010000f2052a01000000"],
  [1.5, "030000000000c03f"],
  [0.1, "030001009a9999999999b93f"],
  ["héllo", "040000000600000068c3a96c6c6f0000"],
  [[1, "a"], "13000000020000000200000001000000040000000100000061000000"],
  [{ a: 1 }, "12000000010000000400000001000000610000000200000001000000"],
  [Uint8Array.of(1, 2, 3), "140000000300000001020300"],
];

test.each(GODOT_3)("%j is what Godot 3 makes of it", (value, hex) => {
  expect(encodeVariant(value, 3)?.toString("hex")).toBe(hex);
  expect(decodeVariant(Buffer.from(hex, "hex"), 3)).toEqual(value);
});

// var2bytes(5.0) and so on, of Godot 3.2.3.
test.each([
  [5, "030000000000a040"],
  [-0, "0300000000000080"],
  [1.5, "030000000000c03f"],
  [0.1, "030001009a9999999999b93f"],
])("a GodotFloat of %d is a float of Godot's, and stays one", (value, hex) => {
  const bytes = Buffer.from(hex, "hex");
  expect(encodeVariant(new GodotFloat(value), 3)).toEqual(bytes);
  expect(decodeVariant(bytes, 3)).toBe(value);
  const kept = decodeVariant(bytes, 3, { keepFloats: true });
  expect(kept).toEqual(new GodotFloat(value));
  expect(encodeVariant(kept ?? null, 3)).toEqual(bytes);
});

test("floats are kept within containers, whole numbers stay whole, and a GodotFloat calculates", () => {
  const value = { speed: new GodotFloat(5), list: [5, new GodotFloat(0.5)] };
  const bytes = encodeVariant(value) ?? Buffer.alloc(0);
  const kept = decodeVariant(bytes, 4, { keepFloats: true });
  expect(kept).toEqual(value);
  expect(encodeVariant(kept ?? null)).toEqual(bytes);
  expect(decodeVariant(bytes)).toEqual({ speed: 5, list: [5, 0.5] });
  expect(Number(value.speed) + 1).toBe(6);
  expect(JSON.stringify(value)).toBe('{"speed":5,"list":[5,0.5]}');
});

test("Godot 4 numbers containers otherwise", () => {
  expect(encodeVariant([], 4)?.toString("hex")).toBe("1c00000000000000");
  expect(encodeVariant({}, 4)?.toString("hex")).toBe("1b00000000000000");
  expect(encodeVariant(Uint8Array.of(), 4)?.toString("hex")).toBe("1d00000000000000");
  expect(decodeVariant(Buffer.from("1300000000000000", "hex"), 4)).toBeUndefined();
});

test("typed containers of Godot 4.4 and StringName are read", () => {
  expect(decodeVariant(Buffer.from("1c00010002000000010000000200000007000000", "hex"), 4)).toEqual([7]);
  expect(decodeVariant(Buffer.from("150000000100000061000000", "hex"), 4)).toBe("a");
});

test("integers beyond 2^53 are bigint; keys that are no strings make a Map; __proto__ is a key", () => {
  const big = 2n ** 60n;
  const values: Variant[] = [
    big,
    -big,
    new Map<Variant, Variant>([[1, "one"]]),
    JSON.parse('{"__proto__":1}') as Variant,
  ];
  for (const value of values) {
    const bytes = encodeVariant(value);
    expect(bytes).toBeDefined();
    if (bytes !== undefined) expect(encodeVariant(decodeVariant(bytes) ?? null)).toEqual(bytes);
  }
  expect(encodeVariant(2n ** 63n)).toBeUndefined();
});

describe("hostile input", () => {
  test("sizes that lie and endless nesting are undefined", () => {
    expect(decodeVariant(Buffer.from("1cffffffffffff7f", "hex"))).toBeUndefined();
    expect(decodeVariant(Buffer.from("04000000ffffffff61", "hex"))).toBeUndefined();
    const nested = Buffer.concat(Array.from({ length: 8000 }, () => Buffer.from("1c00000001000000", "hex")));
    expect(decodeVariant(nested)).toBeUndefined();
    const cycle: Variant[] = [];
    cycle.push(cycle);
    expect(encodeVariant(cycle)).toBeUndefined();
  });

  test("nothing throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(3 as const, 4 as const), (bytes, format) => {
        decodeVariant(bytes, format);
        bytes[0] = [1, 2, 3, 4, 18, 19, 20, 27, 28, 29][(bytes[0] ?? 0) % 10] ?? 0;
        decodeVariant(bytes, format);
      }),
      { numRuns: runs },
    );
  });

  test("every truncation is undefined or a value", () => {
    const bytes =
      encodeVariant({ list: [1, 2.5, "three", Uint8Array.of(4)], nested: { a: null, b: true } }) ?? Buffer.alloc(0);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeVariant(bytes.subarray(0, length))).toBeUndefined();
  });
});

test("what is written is read back", () => {
  const { tree } = fc.letrec<{ tree: Variant }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
      fc.string({ unit: "grapheme" }),
      fc.uint8Array(),
      fc.array(tie("tree")),
      fc.dictionary(fc.string(), tie("tree")),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.constantFrom(3 as const, 4 as const), (value, format) => {
      const bytes = encodeVariant(value, format);
      expect(bytes).toBeDefined();
      const read = bytes === undefined ? undefined : decodeVariant(bytes, format);
      expect(read).toEqual(value);
    }),
    { numRuns: Math.min(runs, 10_000) },
  );
});
