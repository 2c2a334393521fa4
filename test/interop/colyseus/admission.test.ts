// What callers may take of the matchmaker. A proxy on this machine names them, so that one machine can be many callers.
import { type AuthContext, matchMaker, Room } from "@colyseus/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startServer, type TestServer } from "./harness.ts";
import type { ArenaOptions, ArenaRoom } from "./rooms.ts";

class SeenRoom extends Room {
  static seen: string[] = [];
  static override async onAuth(_token: string, _options: unknown, { headers }: AuthContext): Promise<boolean> {
    SeenRoom.seen = [...headers.keys()];
    return true;
  }
}

let arena: TestServer;
beforeAll(async () => {
  const limits = { seatsPerAddress: 5, roomsPerAddress: 2, emptyRooms: 1000, seats: 20, playersPerAddress: 4 };
  arena = await startServer({ trustProxy: true, limits });
  arena.server.define("seen", SeenRoom);
});
afterAll(() => arena[Symbol.asyncDispose]());

interface Answer {
  status: number;
  retryAfter: string | null;
  json: { roomId: string; sessionId: string; error?: string; code?: number };
}

async function post(address: string, path: string, options: ArenaOptions = {}): Promise<Answer> {
  const response = await fetch(`${arena.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": address },
    body: JSON.stringify({ reservationSeconds: 1, ...options }),
  });
  const json = (await response.json()) as Answer["json"];
  return { status: response.status, retryAfter: response.headers.get("retry-after"), json };
}
/** A client whose requests the proxy says are this address'. */
const clientOf = (address: string) => arena.client({ headers: { "x-forwarded-for": address } });

test("no room sees what we write on a request, and nobody writes it for us", async () => {
  const response = await fetch(`${arena.url}/matchmake/create/seen`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-sallyport-ticket": "mine" },
    body: "{}",
  });
  expect(response.status).toBe(200);
  expect(SeenRoom.seen).toContain("content-type");
  expect(SeenRoom.seen.filter((name) => name.startsWith("x-sallyport"))).toEqual([]);
});

describe("seats of one address", () => {
  test("that nobody takes are so many; a /64 is one address, and others get theirs", async () => {
    const { json } = await post("9.1.1.1", "/matchmake/create/arena", { reservationSeconds: 30 });
    const statuses: number[] = [];
    for (let host = 1; host <= 7; host++) {
      const { status } = await post(`2a02:1:1:1::${host}`, `/matchmake/joinById/${json.roomId}`);
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429]);
    expect((await post("9.1.1.2", `/matchmake/joinById/${json.roomId}`)).status).toBe(200);
  });

  test("that are not given cost nothing", async () => {
    for (let i = 0; i < 20; i++) {
      const { status, json } = await post("9.2.2.2", "/matchmake/joinById/nowhere");
      expect([status, json.error]).toEqual([522, 'room "nowhere" not found']);
    }
    expect((await post("9.2.2.2", "/matchmake/create/arena")).status).toBe(200);
  });

  test("that are taken do not count, until so many play", async () => {
    const client = clientOf("9.3.3.3");
    for (let i = 0; i < 10; i++) {
      const room = await client.joinOrCreate<ArenaRoom>("arena");
      room.onMessage("*", () => {});
      expect(room.path.kind).toBe("direct");
      await room.leave();
    }
    const rooms = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const room = await client.joinOrCreate<ArenaRoom>("arena");
        room.onMessage("*", () => {});
        return room;
      }),
    );
    const { status, retryAfter, json } = await post("9.3.3.3", "/matchmake/joinOrCreate/arena");
    expect([status, retryAfter]).toEqual([429, null]);
    expect(json.error).toBe("As many players of your address are here as may be, 4: come back when one has left.");
    await rooms[0]?.leave();
    await expect.poll(async () => (await post("9.3.3.3", "/matchmake/joinOrCreate/arena")).status).toBe(200);
    for (const room of rooms.slice(1)) await room.leave();
  });
});

test("who has had its share of rooms made gets into those that are there", async () => {
  for (let i = 0; i < 2; i++) expect((await post("9.4.4.4", "/matchmake/create/arena")).status).toBe(200);
  const refused = await post("9.4.4.4", "/matchmake/create/arena");
  expect([refused.status, refused.json.error]).toEqual([
    429,
    "Your address has opened as many rooms as it may, 2: join one that is there.",
  ]);
  expect((await post("9.4.4.4", "/matchmake/joinOrCreate/arena")).status).toBe(200);
  // No room of this name is there.
  arena.server.define("elsewhere", Room);
  expect(await post("9.4.4.4", "/matchmake/joinOrCreate/elsewhere")).toMatchObject({ status: 429, retryAfter: null });
});

test("when all seats are held, a client is told to wait, waits, and plays over UDP", async () => {
  for (let i = 0; i < 40; i++) await post(`9.${100 + i}.1.1`, "/matchmake/create/arena", { reservationSeconds: 2 });
  const { status, retryAfter, json } = await post("9.199.1.1", "/matchmake/joinOrCreate/arena");
  expect([status, retryAfter, json.error]).toEqual([503, "1", "Too many players are on their way in: wait a second."]);
  const room = await clientOf("9.199.1.1").joinOrCreate<ArenaRoom>("arena");
  room.onMessage("*", () => {});
  expect(room.path.kind).toBe("direct");
  await room.leave();
});

describe("what exposedMethods leaves out", () => {
  const { exposedMethods } = matchMaker.controller;
  afterEach(() => void (matchMaker.controller.exposedMethods = exposedMethods));

  test("is answered in words, and costs nothing", async () => {
    matchMaker.controller.exposedMethods = ["join", "reconnect"];
    for (let i = 0; i < 50; i++) {
      const { status, json } = await post("9.5.5.5", "/matchmake/create/arena");
      expect([status, json]).toEqual([
        520,
        { code: 520, error: "Players open no rooms of their own here: use join, reconnect." },
      ]);
    }
    await expect(clientOf("9.5.5.5").joinOrCreate("arena")).rejects.toThrow(
      "Players open no rooms here: use join, reconnect.",
    );
    expect((await post("9.5.5.5", "/matchmake/constructor/arena")).json.error).toBe(
      "The matchmaker does not do that: use join, reconnect.",
    );
    expect((await post("9.5.5.5", "/matchmake/join/arena")).status).toBe(200);
  });
});
