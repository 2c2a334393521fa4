import { afterAll, beforeAll, expect, test } from "vitest";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import { until } from "../../until.ts";
import { startServer, type TestServer } from "./harness.ts";
import type { ArenaRoom, ArenaState } from "./rooms.ts";

const ROOMS = 200;
const PLAYERS = 500;
const AT_ONCE = 25;

let arena: TestServer;
beforeAll(async () => {
  arena = await startServer();
});
afterAll(() => arena[Symbol.asyncDispose]());

test("500 players in 200 rooms, all over UDP, and each hears its own room", { timeout: 120_000 }, async () => {
  // A machine that also plays all the players may be slow to answer.
  const client = arena.client({ udpTimeoutMs: 30_000 });
  const rooms = await batches(ROOMS, () => client.create<ArenaRoom>("arena", { reservationSeconds: 120 }));
  const guests = await batches(PLAYERS - ROOMS, (i) => client.joinById<ArenaRoom>(rooms[i % ROOMS]?.roomId ?? ""));
  const everybody: SallyportRoom<ArenaRoom, ArenaState>[] = [...rooms, ...guests];
  expect(everybody.filter(({ path }) => path.kind !== "direct")).toEqual([]);

  const heard: [room: string, said: string][] = [];
  for (const room of everybody) {
    room.onMessage("*", () => {});
    room.onMessage("shout", (said: string) => heard.push([room.roomId, said]));
  }
  for (const room of rooms) room.send("shout", room.roomId);
  await until(() => heard.length === PLAYERS);
  expect(heard.filter(([room, said]) => room !== said)).toEqual([]);
  await Promise.all(everybody.map((room) => room.leave()));
});

async function batches<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < count; i += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - i);
    results.push(...(await Promise.all(Array.from({ length: size }, (_, j) => work(i + j)))));
  }
  return results;
}
