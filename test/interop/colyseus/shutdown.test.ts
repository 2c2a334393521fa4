import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { until } from "../../until.ts";
import { next } from "./harness.ts";
import { Program } from "./program.ts";
import { type ArenaState, players } from "./rooms.ts";

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "sallyport-shutdown-"));
  console.info = console.warn = () => {};
});
afterAll(() => rmSync(cwd, { recursive: true }));

test.each([
  ["over UDP", true],
  ["over WebSocket", false],
])(
  "SIGTERM: a room that never ends is left after the limit, its players are told %s, and the process ends well",
  async (_how, udp) => {
    await using program = new Program("game.ts", ["sallyport", "0", "stubborn"]);
    const url = `http://127.0.0.1:${await program.line(/^listening (\d+)/)}`;
    const room = await new SallyportClient(url, { udp }).create<ArenaState>("arena");
    room.onMessage("*", () => {});
    expect(room.path.kind).toBe(udp ? "direct" : "websocket");
    const left = next((listener) => room.onLeave(listener));
    program.signal("SIGTERM");
    expect((await left)[0]).toBe(4001);
    expect(await program.exited).toBe(0);
  },
);

test.each<[string, readonly NodeJS.Signals[], number]>([
  ["Ctrl-C, which npm passes on", ["SIGINT", "SIGINT"], 0],
  ["two signals, while the server prepares for its end", ["SIGINT", "SIGTERM"], 300],
  ["a closed terminal, of which the shell tells too", ["SIGHUP", "SIGHUP"], 0],
])("%s: rooms have the time to save, and the process ends well", async (_, signals, beforeMs) => {
  await using program = new Program("saving.ts", [String(beforeMs)]);
  await program.line(/^listening/);
  for (const name of signals) {
    program.signal(name);
    await program.line(/^shutting down/);
  }
  await program.line(/^saved/);
  expect(await program.exited).toBe(0);
});

test("devMode: the server is started anew, and its players are back with their state", async () => {
  const first = new Program("game.ts", ["sallyport", "0", "dev"], { cwd });
  const port = await first.line(/^listening (\d+)/);
  const client = new SallyportClient(`http://127.0.0.1:${port}`, { udpTimeoutMs: 1000 });
  const room = await client.create<ArenaState>("arena", { name: "ann" });
  room.onMessage("*", () => {});
  Object.assign(room.reconnection, { minUptime: 0, minDelay: 20, delay: 20, maxDelay: 100, maxRetries: 1000 });
  room.send("score", 5);
  await until(() => players(room.state)?.get(room.sessionId)?.score === 5);
  const { sessionId } = room;
  const dropped = next((listener) => room.onDrop(listener));
  const reconnected = next((listener) => room.onReconnect(listener));
  first.signal("SIGTERM");
  expect((await dropped)[0]).toBe(4010);
  expect(await first.exited).toBe(0);
  await using second = new Program("game.ts", ["sallyport", port, "dev"], { cwd });
  await second.line(/^listening/);
  await reconnected;
  expect(room.sessionId).toBe(sessionId);
  await until(() => players(room.state)?.has(sessionId) === true);
  room.send("shout", "back");
  expect(await next((listener) => room.onMessage("shout", listener))).toEqual(["back"]);
  room.reconnection.enabled = false;
});
