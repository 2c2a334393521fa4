import { type IRoomCache, type LocalDriver, LocalPresence, matchMaker, type Presence } from "@colyseus/core";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CallerLimiter } from "../../../../sdk/src/colyseus/lobby/caller-limiter.ts";
import { Gauge } from "../../../../sdk/src/colyseus/lobby/gauge.ts";
import { findByInvite } from "../../../../sdk/src/colyseus/lobby/invite-index.ts";
import { LiveCodes } from "../../../../sdk/src/colyseus/lobby/live-codes.ts";
import { until } from "../../../until.ts";

/** As much of Redis as a lobby asks for: a presence that is not this process' own. */
class SharedPresence {
  readonly hashes = new Map<string, Map<string, string>>();
  /** Until when, s, by the clock of Redis. */
  readonly keys = new Map<string, number>();
  seconds = 0;
  isDown = false;

  async hset(key: string, field: string, value: string): Promise<boolean> {
    this.#of(key).set(field, value);
    return true;
  }
  async hget(key: string, field: string): Promise<string | null> {
    return this.#of(key).get(field) ?? null;
  }
  async hgetall(key: string): Promise<Record<string, string>> {
    return Object.fromEntries(this.#of(key));
  }
  async hdel(key: string, field: string): Promise<boolean> {
    return this.#of(key).delete(field);
  }
  async hincrby(key: string, field: string, amount: number): Promise<number> {
    const sum = Number(this.#of(key).get(field) ?? 0) + amount;
    this.#of(key).set(field, String(sum));
    return sum;
  }
  expire(): void {}
  async setex(key: string, _value: string, seconds: number): Promise<void> {
    if (this.isDown) throw new Error("Redis is gone");
    this.keys.set(key, this.seconds + seconds);
  }
  async exists(key: string): Promise<boolean> {
    return (this.keys.get(key) ?? 0) > this.seconds;
  }

  #of(key: string): Map<string, string> {
    if (this.isDown) throw new Error("Redis is gone");
    const hash = this.hashes.get(key) ?? new Map<string, string>();
    this.hashes.set(key, hash);
    return hash;
  }
}

describe("in one process", () => {
  beforeEach(() => matchMaker.setup(new LocalPresence()));

  test("a gauge counts up to its limit, and down", async () => {
    const gauge = new Gauge();
    const added = await Promise.all(Array.from({ length: 5 }, () => gauge.add("games", 3)));
    expect(added).toEqual([true, true, true, false, false]);
    gauge.remove("games");
    expect(await gauge.add("games", 3)).toBe(true);
  });

  test("a code has one owner at a time", async () => {
    const codes = new LiveCodes();
    expect(await codes.isLive("K7Q2-9FXM")).toBe(false);
    expect(await codes.claim("K7Q2-9FXM", "ada", "room-ada")).toBe(true);
    expect(await codes.claim("K7Q2-9FXM", "eve", "room-eve")).toBe(false);
    // The same owner takes over, and the code stays live until both are gone.
    expect(await codes.claim("K7Q2-9FXM", "ada", "room-ada")).toBe(true);
    codes.release("K7Q2-9FXM", "ada");
    expect(await codes.isLive("K7Q2-9FXM")).toBe(true);
    codes.release("K7Q2-9FXM", "ada");
    expect(await codes.isLive("K7Q2-9FXM")).toBe(false);
    expect(await codes.claim("K7Q2-9FXM", "eve", "room-eve")).toBe(true);
  });
});

describe("with others", () => {
  let presence: SharedPresence;
  beforeEach(async () => {
    presence = new SharedPresence();
    await matchMaker.setup(presence as unknown as Presence);
  });
  afterEach(() => void vi.restoreAllMocks());
  /** What another process has written, which is there, or has not been heard of for too long. */
  const by = (processId: string, isAlive: boolean, value = ""): string => {
    if (isAlive) void presence.setex(`sallyport:lobby:alive:${processId}`, "1", 90);
    return `${processId} ${value}`;
  };

  test("a gauge counts what the others have, and not what a dead process had", async () => {
    const gauge = new Gauge();
    await presence.hset("sallyport:lobby:games", "other", by("other", true, "2"));
    await presence.hset("sallyport:lobby:games", "lapsed", by("lapsed", false, "100"));
    await presence.hset("sallyport:lobby:games", "dead", by("dead", true, "100"));
    // Of processes, in Colyseus' own hash: rooms, players.
    await presence.hset("roomcount", "other", "2,0");
    await presence.hset("roomcount", matchMaker.processId, "0,0");
    expect(await gauge.add("games", 3)).toBe(true);
    expect(await gauge.add("games", 3)).toBe(false);
    await presence.hdel("sallyport:lobby:games", "other");
    expect(await gauge.add("games", 3)).toBe(true);
  });

  test("a code that another process' host has is taken, but for its owner", async () => {
    const codes = new LiveCodes();
    await presence.hset("sallyport:lobby:code:K7Q2-9FXM", "ada", by("other", true));
    expect(await codes.isLive("K7Q2-9FXM")).toBe(true);
    expect(await codes.claim("K7Q2-9FXM", "eve", "room-eve")).toBe(false);
    expect(await codes.claim("K7Q2-9FXM", "ada", "room-ada")).toBe(true);
    await presence.hset("sallyport:lobby:code:2222-2222", "gone", by("lapsed", false));
    expect(await codes.isLive("2222-2222")).toBe(false);
  });

  test.each([-24, -1, 1, 24])("a process whose clock is off by %i h reads and writes the same codes", async (hours) => {
    await presence.hset("sallyport:lobby:code:K7Q2-9FXM", "ada", by("other", true));
    const now = Date.now();
    vi.spyOn(Date, "now").mockReturnValue(now + hours * 3_600_000);
    expect(await new LiveCodes().isLive("K7Q2-9FXM")).toBe(true);
    expect(await new LiveCodes().claim("2222-2222", "bob", "room-bob")).toBe(true);
    vi.restoreAllMocks();
    expect(await new LiveCodes().isLive("2222-2222")).toBe(true);
    expect(await new LiveCodes().claim("2222-2222", "eve", "room-eve")).toBe(false);
    // What died with its process lapses by Redis' clock, whatever ours says.
    presence.seconds += 91;
    expect(await new LiveCodes().isLive("K7Q2-9FXM")).toBe(false);
  });

  test("an invite leads to its room without a look at all rooms", async () => {
    const codes = new LiveCodes();
    const room = { roomId: "room-ada", name: "rendezvous", locked: false, metadata: { invite: "K7Q2-9FXM" } };
    const { driver } = matchMaker;
    const original = vi.spyOn(driver, "findOne");
    await (driver as LocalDriver).insert(room as unknown as IRoomCache);
    findByInvite(codes);
    findByInvite(codes);
    await codes.claim("K7Q2-9FXM", "ada", "room-ada");
    const conditions = { name: "rendezvous", locked: false, invite: "K7Q2-9FXM" };
    expect(await driver.findOne(conditions as object)).toBe(room);
    // A wrong code does not cost a look at all rooms either; nor does a room that is closed to others.
    expect(await driver.findOne({ ...conditions, invite: "2222-2222" } as object)).toBeUndefined();
    room.locked = true;
    expect(await driver.findOne(conditions as object)).toBeUndefined();
    expect(original).not.toHaveBeenCalled();
    // What another release has written names no room, and other rooms have no invite.
    await presence.hset("sallyport:lobby:code:3333-3333", "bob", by("other", true));
    await driver.findOne({ ...conditions, invite: "3333-3333" } as object);
    await driver.findOne({ name: "arena" });
    expect(original).toHaveBeenCalledTimes(2);
  });

  test("what another process has taken over is not taken back", async () => {
    const codes = new LiveCodes();
    await codes.claim("K7Q2-9FXM", "ada", "room-ada");
    await presence.hset("sallyport:lobby:code:K7Q2-9FXM", "ada", by("other", true, "room-new"));
    codes.release("K7Q2-9FXM", "ada");
    await until(async () => (await codes.roomsOf("K7Q2-9FXM"))?.[0] === "room-new");
    expect(await codes.isLive("K7Q2-9FXM")).toBe(true);
  });

  test("a caller's tokens are one bucket for all processes", async () => {
    const [here, there] = [0, 1].map(() => new CallerLimiter("test", { burst: 5, perSecond: 1 }));
    const taken = [];
    for (let i = 0; i < 6; i++) taken.push(await here?.take("198.51.100.7", 0), await there?.take("198.51.100.7", 0));
    expect(taken.filter(Boolean)).toHaveLength(5);
    expect(await there?.has("198.51.100.7", 5000)).toBe(false);
    expect(await there?.has("198.51.100.8", 5000)).toBe(true);
  });

  test("without Redis each process decides alone", async () => {
    presence.isDown = true;
    const [gauge, codes, limiter] = [
      new Gauge(),
      new LiveCodes(),
      new CallerLimiter("down", { burst: 2, perSecond: 1 }),
    ];
    expect([await gauge.add("games", 1), await gauge.add("games", 1)]).toEqual([true, false]);
    expect([
      await codes.claim("K7Q2-9FXM", "ada", "room-ada"),
      await codes.claim("K7Q2-9FXM", "eve", "room-eve"),
    ]).toEqual([true, false]);
    const taken = [await limiter.take("a", 0), await limiter.take("a", 0), await limiter.take("a", 0)];
    expect(taken).toEqual([true, true, false]);
  });
});
