import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ReplayWindow } from "../../../sdk/src/netcode/replay.ts";
import { halves } from "./vectors.ts";

const MAX = 2n ** 64n - 1n;

/** The rule in its plainest form. */
class Model {
  #newest = 0n;
  readonly #seen: Set<bigint> = new Set();

  accepts(sequence: bigint): boolean {
    return !(this.#newest >= 256n && sequence <= this.#newest - 256n) && !this.#seen.has(sequence);
  }

  record(sequence: bigint): void {
    this.#seen.add(sequence);
    if (sequence > this.#newest) this.#newest = sequence;
  }
}

const around = (center: bigint): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: center > 600n ? center - 600n : 0n, max: center + 600n > MAX ? MAX : center + 600n });

test("behaves as the rule says, around every power of two and at the end of the sequence space", () => {
  const centers = [0n, 1000n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, MAX];
  const sequence = fc.oneof(...centers.map(around), fc.bigInt({ min: 0n, max: MAX }));
  fc.assert(
    fc.property(
      fc.constantFrom(...centers).chain((center) =>
        fc.array(fc.oneof({ weight: 9, arbitrary: around(center) }, { weight: 1, arbitrary: sequence }), {
          maxLength: 400,
        }),
      ),
      (sequences) => {
        const window = new ReplayWindow();
        const model = new Model();
        for (const each of sequences) {
          const [low, high] = halves(each.toString());
          expect(window.accepts(low, high)).toBe(model.accepts(each));
          if (!model.accepts(each)) continue;
          window.record(low, high);
          model.record(each);
          expect(window.accepts(low, high)).toBe(false);
        }
      },
    ),
    { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 200) },
  );
});

test("the last sequence of all is accepted once, unlike in the reference", () => {
  const window = new ReplayWindow();
  const [low, high] = halves(MAX.toString());
  expect(window.accepts(low, high)).toBe(true);
  window.record(low, high);
  expect(window.accepts(low, high)).toBe(false);
  window.reset();
  expect(window.accepts(low, high)).toBe(true);
});

test("says which packet is the newest", () => {
  const window = new ReplayWindow();
  expect(window.record(0, 0)).toBe(true);
  expect(window.record(5, 0)).toBe(true);
  expect(window.record(4, 0)).toBe(false);
  expect(window.record(0, 1)).toBe(true);
});
