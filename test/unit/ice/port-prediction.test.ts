import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { seededRandom } from "../../../sdk/src/channel/random.ts";
import {
  birthdayChance,
  type Guess,
  type GuessOptions,
  GuessPlan,
  guessingSide,
  MAX_GUESS_PROBES,
  MAX_GUESS_SOCKETS,
  predictPorts,
} from "../../../sdk/src/ice/port-prediction.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 100);

function options(seed = 1): GuessOptions {
  const random = seededRandom(seed);
  return { random: (bytes) => Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256)) };
}

/** All of a plan, with the times. */
function play(plan: GuessPlan): (Guess & { at: number })[] {
  const guesses: (Guess & { at: number })[] = [];
  while (plan.nextAt < Number.POSITIVE_INFINITY) {
    const at = plan.nextAt;
    const guess = plan.take(at);
    if (guess !== null) guesses.push({ ...guess, at });
    expect(plan.take(at)).toBeNull();
  }
  return guesses;
}

test.each([
  ["counting up", [40000, 40001, 40002], [40003, 40004, 40005]],
  ["two at a time", [40000, 40002, 40004], [40006, 40008, 40010]],
  ["others in between", [40000, 40004, 40006], [40008, 40010, 40012]],
  ["counting down", [40010, 40009, 40008], [40007, 40006, 40005]],
  ["at random", [40000, 12345, 60000], []],
  ["far apart", [40000, 41000, 42000], []],
  ["the same", [40000, 40000, 40000], []],
  ["too few", [40000, 40001], []],
  ["at the end", [65533, 65534, 65535], []],
])("ports %s", (_, observed, expected) => {
  expect(predictPorts(observed, 3)).toEqual(expected);
});

test("what is predicted is a port", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 65535 }), { maxLength: 6 }),
      fc.nat({ max: 40 }),
      (observed, count) => {
        const ports = predictPorts(observed, count);
        expect(ports.length).toBeLessThanOrEqual(count);
        for (const port of ports) expect(port >= 1024 && port <= 65535).toBe(true);
        expect(new Set(ports).size).toBe(ports.length);
      },
    ),
    { numRuns },
  );
});

test("the birthday paradox", () => {
  expect(birthdayChance(256, 1024)).toBeGreaterThan(0.98);
  expect(birthdayChance(1, 1024)).toBeLessThan(0.02);
  expect(birthdayChance(64512, 1)).toBe(1);
});

describe("who guesses", () => {
  const filtering = "address-and-port-dependent";
  const symmetric = { mapping: "address-and-port-dependent", filtering } as const;
  const restricted = { mapping: "endpoint-independent", filtering } as const;

  test("a symmetric side opens, one that filters by port probes", () => {
    expect(guessingSide(symmetric, restricted)).toBe("opener");
    expect(guessingSide(restricted, symmetric)).toBe("prober");
  });

  test("nobody, where it is needless or hopeless", () => {
    expect(guessingSide(symmetric, symmetric)).toBeNull();
    expect(guessingSide(restricted, restricted)).toBeNull();
    expect(guessingSide(symmetric, { mapping: "endpoint-independent", filtering: "address-dependent" })).toBeNull();
    expect(guessingSide({ mapping: "unknown", filtering: "unknown" }, symmetric)).toBeNull();
  });
});

describe("a round", () => {
  test("the opener sends once from each socket to each address, at the pace", () => {
    const targets = [
      { address: "9.9.9.9", port: 7 },
      { address: "9.9.9.9", port: 8 },
    ];
    const guesses = play(GuessPlan.open(targets, 500, options()));
    expect(guesses).toHaveLength(2 * MAX_GUESS_SOCKETS);
    expect(new Set(guesses.map(({ socket }) => socket)).size).toBe(MAX_GUESS_SOCKETS);
    expect(guesses[0]).toEqual({ socket: 0, to: targets[0], at: 500 });
    for (const [i, { at }] of guesses.entries()) expect(at).toBe(500 + 10 * i);
  });

  test("the prober tries predicted ports first, then others, each once", () => {
    const guesses = play(GuessPlan.probe("9.9.9.9", [5000, 5001, 80], 0, options()));
    const ports = guesses.map(({ to }) => to.port);
    expect(ports.slice(0, 2)).toEqual([5000, 5001]);
    expect(ports).toHaveLength(MAX_GUESS_PROBES);
    expect(new Set(ports).size).toBe(MAX_GUESS_PROBES);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1024);
  });

  test("nobody can ask for more", () => {
    const many = { ...options(), sockets: 100_000, probes: 60_000 };
    expect(play(GuessPlan.open([{ address: "9.9.9.9", port: 7 }], 0, many))).toHaveLength(MAX_GUESS_SOCKETS);
    expect(play(GuessPlan.probe("9.9.9.9", [], 0, many))).toHaveLength(MAX_GUESS_PROBES);
  });

  test("what is late is not made up for", () => {
    const plan = GuessPlan.open([{ address: "9.9.9.9", port: 7 }], 0, options());
    expect(plan.take(0)).not.toBeNull();
    expect(plan.take(10_000)).not.toBeNull();
    expect(plan.take(10_000)).toBeNull();
    expect(plan.nextAt).toBe(10_010);
  });

  test("two sides meet as often as the paradox says", () => {
    let met = 0;
    for (let seed = 0; seed < 100; seed++) {
      const random = seededRandom(seed + 1000);
      const open = new Set(Array.from({ length: 256 }, () => 1024 + Math.floor(random() * 64512)));
      met += Number(play(GuessPlan.probe("9.9.9.9", [], 0, options(seed))).some(({ to }) => open.has(to.port)));
    }
    expect(met).toBeGreaterThanOrEqual(93);
  });
});
