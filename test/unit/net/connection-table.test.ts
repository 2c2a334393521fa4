import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ConnectionState, ConnectionTable } from "../../../sdk/src/net/connection-table.ts";

class Connection {
  readonly name: string;
  readonly since: number;
  state: ConnectionState = "waiting";

  constructor(name: string, since: number) {
    this.name = name;
    this.since = since;
  }
}

function newTable(limits: { total?: number; unseated?: number; perCaller?: number; graceMs?: number } = {}): {
  table: ConnectionTable<Connection>;
  add: (name: string, caller: string | undefined, state?: ConnectionState) => Connection;
  /** Who gave way, and why, in order. */
  closed: [name: string, reason: string][];
} {
  const closed: [string, string][] = [];
  const all = { total: 100, unseated: 100, perCaller: 100, graceMs: 0, ...limits };
  const table = new ConnectionTable<Connection>({ ...all, stateOf: ({ state }) => state });
  let now = 0;
  const add = (name: string, caller: string | undefined, state: ConnectionState = "waiting"): Connection => {
    const connection = new Connection(name, now++);
    const gone = table.add(connection, caller);
    if (gone) closed.push([gone.connection.name, gone.reason]);
    connection.state = state;
    return connection;
  };
  return { table, add, closed };
}

describe("a caller's share", () => {
  test("the oldest of its connections gives way, and nobody else's", () => {
    const { add, closed, table } = newTable({ perCaller: 2 });
    add("other", "b");
    for (const name of ["1", "2", "3", "4"]) add(name, "a");
    expect(closed).toEqual([
      ["1", "share"],
      ["2", "share"],
    ]);
    expect(table.size).toBe(3);
  });

  test("one whose request is being answered goes after all that only wait", () => {
    const { add, closed } = newTable({ perCaller: 3 });
    add("answered", "a", "served");
    add("old", "a");
    add("young", "a");
    for (const name of ["1", "2"]) add(name, "a", "served");
    add("3", "a");
    expect(closed.map(([name]) => name)).toEqual(["old", "young", "answered"]);
  });

  test("players do not count: a full house behind one address goes on growing", () => {
    const { add, closed, table } = newTable({ perCaller: 2 });
    for (let i = 0; i < 20; i++) add(`player ${i}`, "school", "seated");
    add("1", "school");
    add("2", "school");
    expect(closed).toEqual([]);
    expect(table.seated).toBeGreaterThanOrEqual(20 - 2);
  });

  test("connections that count by themselves have none", () => {
    const { add, closed, table } = newTable({ perCaller: 2, unseated: 50 });
    for (let i = 0; i < 50; i++) add(`${i}`, undefined);
    expect([table.size, closed]).toEqual([50, []]);
  });
});

describe("a full server", () => {
  test("the oldest one without a seat gives way, of the caller that holds most", () => {
    const { add, closed } = newTable({ unseated: 4 });
    add("house", "a");
    for (const name of ["1", "2", "3"]) add(name, "stranger");
    add("proxy", undefined);
    add("new", "b");
    expect(closed).toEqual([["1", "full"]]);
  });

  test("among callers who hold one each the oldest gives way", () => {
    const { add, closed } = newTable({ unseated: 3 });
    for (const name of ["a", "b", "c", "d", "e"]) add(name, name);
    expect(closed.map(([name]) => name)).toEqual(["a", "b"]);
  });

  test("a player is spared, however old; one who lost its seat is not", () => {
    const { add, closed, table } = newTable({ total: 4, unseated: 2 });
    const players = ["p1", "p2"].map((name) => add(name, name, "seated"));
    for (const name of ["1", "2", "3", "4"]) add(name, name);
    expect(closed.map(([name]) => name)).toEqual(["1", "2"]);
    if (players[0]) players[0].state = "waiting";
    table.settle();
    add("5", "5");
    expect(closed.map(([name]) => name)).toEqual(["1", "2", "p1"]);
  });

  test("a house full of players refuses the one that comes", () => {
    const { add, closed, table } = newTable({ total: 2, unseated: 2 });
    for (const name of ["p1", "p2"]) add(name, name, "seated");
    add("late", "c");
    expect(closed).toEqual([["late", "full"]]);
    expect(table.size).toBe(2);
  });

  test("those that have just come do not give way while there are descriptors", () => {
    const { add, closed } = newTable({ total: 5, unseated: 2, graceMs: 4 });
    for (const name of ["1", "2", "3", "4"]) add(name, name);
    expect(closed).toEqual([]);
    // The first one has waited for long enough; the rest go since the server is full.
    for (const name of ["5", "6", "7"]) add(name, name);
    expect(closed.map(([name]) => name)).toEqual(["1", "2", "3"]);
  });

  test("a proxy's connections give way to nobody but for the sake of descriptors", () => {
    const { add, closed } = newTable({ total: 7, unseated: 2 });
    for (const name of ["1", "2", "3", "4"]) add(name, undefined);
    for (const name of ["a", "b", "c"]) add(name, name);
    expect(closed).toEqual([["a", "full"]]);
    for (const name of ["5", "6"]) add(name, undefined);
    expect(closed.slice(1)).toEqual([["1", "full"]]);
  });

  test("those of a burst that still wait have to go a little later", () => {
    const { add, closed, table } = newTable({ unseated: 2, graceMs: 10 });
    for (const name of ["1", "2", "3", "4", "5"])
      add(name, name === "5" ? "5" : "burst", name === "2" ? "served" : "waiting");
    expect([closed, table.shed(5)]).toEqual([[], []]);
    expect(table.shed(100).map(({ connection }) => connection.name)).toEqual(["1", "3", "4"]);
    expect([table.size, table.shed(1000)]).toEqual([2, []]);
  });

  test("those who lose their seats count for their caller's share again", () => {
    const { add, closed, table } = newTable({ perCaller: 2 });
    const players = ["1", "2"].map((name) => add(name, "a", "seated"));
    table.settle();
    for (const name of ["3", "4"]) add(name, "a");
    for (const player of players) player.state = "waiting";
    table.settle();
    expect([closed, table.shed(100).map(({ connection }) => connection.name), table.size]).toEqual([[], ["1", "2"], 2]);
  });

  test("whoever goes makes room", () => {
    const { add, closed, table } = newTable({ unseated: 1 });
    table.remove(add("1", "a"));
    add("2", "a");
    expect([closed, table.size]).toEqual([[], 1]);
  });
});

test("whatever happens, limits hold, and no player is closed", () => {
  const limits = { total: 12, unseated: 8, perCaller: 3 };
  const step = fc.record({
    what: fc.constantFrom("add", "add", "add", "remove", "seat", "unseat", "serve", "settle"),
    caller: fc.constantFrom("a", "b", "c", "d", undefined),
    index: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { table, add, closed } = newTable(limits);
      let live: { connection: Connection; caller: string | undefined }[] = [];
      for (const [number, { what, caller, index }] of steps.entries()) {
        const chosen = live[index % Math.max(1, live.length)];
        if (what === "add") {
          const before = closed.length;
          const connection = add(`${number}`, caller);
          live.push({ connection, caller });
          for (const [name] of closed.slice(before)) {
            expect(live.find((each) => each.connection.name === name)?.connection.state).not.toBe("seated");
            live = live.filter((each) => each.connection.name !== name);
          }
        } else if (what === "settle") table.settle();
        else if (chosen && what === "remove") {
          table.remove(chosen.connection);
          live = live.filter((each) => each !== chosen);
        } else if (chosen) {
          const states = { seat: "seated", unseat: "waiting", serve: "served" } as const;
          chosen.connection.state = states[what as keyof typeof states];
        }
        table.settle();
        // Who loses a seat may be one too many.
        for (const { connection } of table.shed(number + 1)) {
          expect(connection.state).not.toBe("seated");
          live = live.filter((each) => each.connection !== connection);
        }
        expect(table.size).toBe(live.length);
        expect(table.size).toBeLessThanOrEqual(limits.total);
        const unseated = live.filter((each) => each.connection.state !== "seated" && each.caller !== undefined);
        expect(unseated.length).toBeLessThanOrEqual(limits.unseated);
        for (const name of ["a", "b", "c", "d"]) {
          expect(unseated.filter((each) => each.caller === name).length).toBeLessThanOrEqual(limits.perCaller);
        }
      }
    }),
    { numRuns: 300 },
  );
});
