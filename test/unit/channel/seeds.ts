import { test } from "vitest";

const ONLY = process.env["SALLYPORT_SEED"];

/** A test of as many seeds as `SALLYPORT_FUZZ_RUNS` says, or of `SALLYPORT_SEED` alone; a failure names its seed. */
export function testSeeds(what: string, seeds: number, run: (seed: number) => void): void {
  const count = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? seeds);
  const [first, last] = ONLY ? [Number(ONLY), Number(ONLY)] : [1, count];
  test(`${ONLY ? `seed ${ONLY}` : `${count} seeds`}: ${what}`, { timeout: 3_600_000 }, () => {
    for (let seed = first; seed <= last; seed++) {
      try {
        run(seed);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
}
