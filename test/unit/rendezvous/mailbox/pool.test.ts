/** The relays that a host or guest holds, by a clock of the test's own. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Clock } from "../../../../sdk/src/net/clock.ts";
import { RelayPool } from "../../../../sdk/src/rendezvous/mailbox/pool.ts";
import type { RelaySocketEvents } from "../../../../sdk/src/rendezvous/mailbox/socket.ts";
import { noiseReady } from "../../../../sdk/src/rendezvous/sealed/noise.ts";

beforeAll(() => noiseReady);

class TestClock implements Clock {
  #now = 1_000;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  unixNow(): number {
    return 1_800_000_000_000 + this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  run(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).toSorted((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.callback();
    }
    this.#now = end;
  }
}

type Mood = "well" | "dead" | "hanging" | "wants an account" | "cannot be opened" | "is forbidden";

/** Relays of which a test says how they are. */
class World {
  readonly clock = new TestClock();
  readonly moods = new Map<string, Mood>();
  readonly open = new Map<string, { events: RelaySocketEvents; texts: string[] }>();
  /** Connections that were tried, by relay. */
  readonly tries = new Map<string, number>();
  readonly pool: RelayPool;
  readonly relays: string[];

  constructor(moods: readonly Mood[], wanted = 3) {
    this.relays = moods.map((_, i) => `wss://relay-${i}.example`);
    for (const [i, mood] of moods.entries()) this.moods.set(this.relays[i] ?? "", mood);
    this.pool = new RelayPool({
      ranked: this.relays,
      wanted,
      topicsOf: () => ["ab".repeat(32)],
      openSocket: (url, events) => this.#connect(url, events),
      clock: this.clock,
      random: (n) => new Uint8Array(n).fill(128),
      onReady: () => undefined,
      onMessage: () => undefined,
    });
    this.clock.run(10);
  }

  get held(): number[] {
    return this.pool.ready.map((url) => this.relays.indexOf(url));
  }

  /** The relay answers what was published. */
  refuse(relay: number, reason: string): void {
    const connection = this.open.get(this.relays[relay] ?? "");
    const published = connection?.texts.findLast((text) => text.startsWith('["EVENT"'));
    const [, { id }] = JSON.parse(published ?? "[]") as [string, { id: string }];
    connection?.events.onData(JSON.stringify(["OK", id, false, reason]));
  }

  publish(relay: number): void {
    this.pool.publish(this.relays[relay] ?? "", "ab".repeat(32), Uint8Array.of(1), new Uint8Array(32).fill(7));
  }

  fail(relay: number, mood: Mood = "dead"): void {
    const url = this.relays[relay] ?? "";
    this.moods.set(url, mood);
    const connection = this.open.get(url);
    this.open.delete(url);
    connection?.events.onClose("gone");
  }

  #connect(url: string, events: RelaySocketEvents): { send: (data: string | Uint8Array) => void; close: () => void } {
    this.tries.set(url, (this.tries.get(url) ?? 0) + 1);
    const texts: string[] = [];
    const mood = this.moods.get(url);
    if (mood === "cannot be opened") throw new TypeError("not now");
    if (mood === "is forbidden") throw new DOMException("not from this page", "SecurityError");
    if (mood === "dead") this.clock.after(1, () => events.onClose("refused"));
    else this.clock.after(1, () => events.onOpen());
    if (mood !== "dead") this.open.set(url, { events, texts });
    return {
      send: (data) => {
        texts.push(String(data));
        const [verb, id] = JSON.parse(String(data)) as [string, string];
        if (verb !== "REQ" || this.moods.get(url) === "hanging") return;
        const wants = this.moods.get(url) === "wants an account";
        const answer = wants ? ["CLOSED", id, "auth-required: who?"] : ["EOSE", id];
        this.clock.after(1, () => events.onData(JSON.stringify(answer)));
      },
      close: () => this.open.delete(url),
    };
  }
}

describe("a pool", () => {
  test("holds the first that answer; dead, hanging and unwilling ones give their places to the next", () => {
    const world = new World(["dead", "well", "hanging", "wants an account", "well", "well", "well"]);
    expect(world.held).toEqual([1, 4]);
    world.clock.run(3_100);
    expect(world.held).toEqual([1, 4, 5]);
  });

  test("is not kept waiting by relays that hang", () => {
    const world = new World(["hanging", "hanging", "hanging", "well", "well", "well"]);
    expect(world.held).toEqual([]);
    world.clock.run(3_100);
    expect(world.held).toEqual([3, 4, 5]);
  });

  test("tries one again whose connection could not be opened, and not one that may never be", () => {
    const world = new World(["cannot be opened", "is forbidden"]);
    expect(world.held).toEqual([]);
    for (const url of world.relays) world.moods.set(url, "well");
    world.clock.run(5000);
    expect(world.held).toEqual([0]);
    world.clock.run(3_600_000);
    expect(world.held).toEqual([0, 1]);
  });

  test.each<Mood>(["cannot be opened", "is forbidden"])(
    "passes over one that %s, and leaves no timer behind",
    (mood) => {
      const world = new World([mood, "well", "well", "well"]);
      expect(world.held).toEqual([1, 2, 3]);
      // A time-out that outlives the failure has no socket to close: it would throw here, and in a program end it.
      world.clock.run(60_000);
      expect(world.held).toEqual([1, 2, 3]);
    },
  );

  test("takes a better one back when it is well again, and lets the worst go", () => {
    const world = new World(["well", "well", "well", "well"]);
    expect(world.held).toEqual([0, 1, 2]);
    world.fail(0);
    world.clock.run(10);
    expect(world.held).toEqual([1, 2, 3]);
    world.moods.set(world.relays[0] ?? "", "well");
    world.clock.run(3_000);
    expect(world.held).toEqual([0, 1, 2]);
    expect(world.open.size).toBe(3);
  });

  test("asks a dead one ever less often", () => {
    const world = new World(["dead", "well", "well", "well"]);
    world.clock.run(3_600_000);
    expect(world.tries.get(world.relays[0] ?? "")).toBeLessThan(20);
    expect(world.tries.get(world.relays[1] ?? "")).toBe(1);
  });

  test("is back soon after the whole network was away, however long", () => {
    const world = new World(["well", "well", "well", "well"]);
    for (let i = 0; i < 4; i++) world.fail(i);
    world.clock.run(1_800_000);
    expect(world.held).toEqual([]);
    for (const url of world.relays) world.moods.set(url, "well");
    world.clock.run(20_000);
    expect(world.held).toEqual([0, 1, 2]);
  });

  test("notices a connection that died without a word, by a question that publishes nothing", () => {
    const world = new World(["well", "well", "well", "well"]);
    world.moods.set(world.relays[1] ?? "", "hanging");
    world.clock.run(60_000);
    expect(world.held).toEqual([0, 2, 3]);
    world.clock.run(3_600_000);
    const texts = [...world.open.values()].flatMap((connection) => connection.texts);
    expect(texts.filter((text) => text.startsWith('["EVENT"'))).toEqual([]);
    expect(texts.some((text) => text.startsWith('["REQ","p"'))).toBe(true);
  });

  test("leaves one that refuses alone for a while, and gives it up when it goes on", () => {
    const world = new World(["well", "well", "well", "well"]);
    world.publish(0);
    world.refuse(0, "rate-limited: slow down");
    expect(world.pool.publishable).toEqual([world.relays[1], world.relays[2]]);
    expect(world.held).toEqual([0, 1, 2]);
    world.clock.run(60_000);
    expect(world.pool.publishable).toHaveLength(3);
    for (let i = 0; i < 2; i++) {
      world.publish(0);
      world.refuse(0, "rate-limited: slow down");
    }
    world.clock.run(10);
    expect(world.held).toEqual([1, 2, 3]);
  });

  test("that is closed leaves nothing", () => {
    const world = new World(["well", "dead", "hanging", "well"]);
    world.pool.close();
    world.clock.run(3_600_000);
    expect(world.open.size).toBe(0);
  });
});
