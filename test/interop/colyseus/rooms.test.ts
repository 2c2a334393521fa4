import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer, type TestServer, until } from "./harness.ts";
import { type ArenaState, players } from "./rooms.ts";

let arena: TestServer;
beforeAll(async () => {
  arena = await startServer();
});
afterAll(() => arena[Symbol.asyncDispose]());

test("players over UDP and over WebSocket share a room", async () => {
  const udp = await arena.client().joinOrCreate<ArenaState>("arena", { name: "udp" });
  const ws = await arena.client({ udp: false }).joinById<ArenaState>(udp.roomId, { name: "ws" });
  expect(udp.path.kind).toBe("direct");
  expect(ws.path.kind).toBe("websocket");
  await until(() => players(udp.state)?.size === 2 && players(ws.state)?.size === 2);
  udp.send("score", 3);
  ws.send("score", 5);
  const scores = (state: ArenaState) => [...players(state).values()].map(({ score }) => score);
  await until(() => scores(udp.state).join() === "3,5" && scores(ws.state).join() === "3,5");
  await Promise.all([udp.leave(), ws.leave()]);
});
