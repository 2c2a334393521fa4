import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../until.ts";
import { startServer, type TestServer } from "./harness.ts";
import { Link } from "./link.ts";
import { type ArenaState, players } from "./rooms.ts";

let arena: TestServer;
beforeAll(async () => {
  arena = await startServer();
});
afterAll(() => arena[Symbol.asyncDispose]());

test("5 % loss each way: UDP and WebSocket players in one room miss nothing reliable, in order", async () => {
  const link = new Link();
  link.loss = 0.05;
  const udp = await arena.client({ link }).create<ArenaState>("arena");
  const ws = await arena.client({ udp: false }).joinById<ArenaState>(udp.roomId);
  const heard: Record<string, number[]> = { udp: [], ws: [] };
  udp.onMessage("shout", (n: number) => heard["udp"]?.push(n));
  ws.onMessage("shout", (n: number) => heard["ws"]?.push(n));
  for (const room of [udp, ws]) room.onMessage("*", () => {});

  const count = 300;
  for (let i = 0; i < count; i++) {
    (i % 2 === 0 ? udp : ws).send("shout", i);
    udp.sendUnreliable("move", i);
    // In many datagrams.
    if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => heard["udp"]?.length === count && heard["ws"]?.length === count);
  // What one player sent keeps its order; between the two there is none.
  for (const got of Object.values(heard)) {
    for (const parity of [0, 1]) {
      const from = got.filter((n) => n % 2 === parity);
      expect(from).toEqual(from.toSorted((a, b) => a - b));
    }
  }
  expect(heard["udp"]).toEqual(heard["ws"]);

  udp.send("score", 77);
  await until(() => players(ws.state)?.get(udp.sessionId)?.score === 77);
  await until(() => players(udp.state)?.get(udp.sessionId)?.score === 77);
  await Promise.all([udp.leave(), ws.leave()]);
});
