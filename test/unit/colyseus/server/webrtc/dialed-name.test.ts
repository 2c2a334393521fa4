import { expect, test, vi } from "vitest";
import { DialedNames } from "../../../../../sdk/src/colyseus/server/webrtc/dialed-name.ts";

/** A name server that says what is in its table, and counts. */
function names(table: Record<string, string[]>) {
  const asked: string[] = [];
  let ms = 0;
  const dialed = new DialedNames({
    lookUp: async (name) => {
      asked.push(name);
      const found = table[name];
      if (!found) throw new Error("ENOTFOUND");
      return found.map((address) => ({ address }));
    },
    now: () => ms,
  });
  return { dialed, asked, pass: (more: number) => void (ms += more) };
}

test("a public name is looked up once a minute, for all", async () => {
  const { dialed, asked, pass } = names({ "game.example": ["11.0.1.1", "2a11::1"] });
  for (const asker of ["11.0.9.9", "11.0.9.8"]) {
    expect(await dialed.addresses("Game.example", asker)).toEqual(["11.0.1.1", "2a11::1"]);
  }
  pass(60_000);
  await dialed.addresses("game.example", "11.0.9.9");
  expect(asked).toEqual(["game.example", "game.example"]);
});

test("what our own name server knows of our own network is not told outside of it", async () => {
  const { dialed } = names({ "intranet.corp": ["10.1.2.3"], split: ["192.168.1.10", "11.0.1.1"] });
  expect(await dialed.addresses("intranet.corp", "11.0.9.9")).toEqual([]);
  expect(await dialed.addresses("split", "11.0.9.9")).toEqual(["11.0.1.1"]);
  expect(await dialed.addresses("intranet.corp", "192.168.1.20")).toEqual(["10.1.2.3"]);
});

test.each(["", "10.1.2.3", "0x7f.1", "[::1]", "a..b", "name with blanks", "a".repeat(300), "http://x"])(
  "%j is no name, and nobody is asked",
  async (name) => {
    const { dialed, asked } = names({});
    expect(await dialed.addresses(name, "11.0.9.9")).toEqual([]);
    expect(asked).toEqual([]);
  },
);

test("a stranger who names ever other names makes us ask few of them", async () => {
  const { dialed, asked, pass } = names({});
  for (let i = 0; i < 200; i++) await dialed.addresses(`${i}.evil.example`, "11.0.9.9");
  expect(asked.length).toBe(16);
  pass(10_000);
  for (let i = 0; i < 200; i++) await dialed.addresses(`${i}.worse.example`, "11.0.9.9");
  expect(asked.length).toBe(26);
});

test("a name server that never answers holds two look-ups and no player for longer than a second", async () => {
  vi.useFakeTimers();
  try {
    const asked: string[] = [];
    const never = new Promise<never>(() => undefined);
    const dialed = new DialedNames({ lookUp: (name) => (asked.push(name), never) });
    const found = ["a.example", "b.example", "c.example"].map((name) => dialed.addresses(name, "11.0.9.9"));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await Promise.all(found)).toEqual([[], [], []]);
    expect(asked).toEqual(["a.example", "b.example"]);
  } finally {
    vi.useRealTimers();
  }
});
