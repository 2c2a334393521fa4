// Connections that nobody plays over, against a server of few: they give way, players do not.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { limitConnections } from "../../../sdk/src/colyseus/server/entrances/connection-limits.ts";
import { until } from "../../until.ts";
import { startServer, type TestServer } from "./harness.ts";

// From loopback, where each connection counts by itself; what holds for strangers' addresses is shown in the lab.
const LIMITS = { tcpConnections: 10, seatTimeoutMs: 500, headersTimeoutMs: 700 };
const KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RyYW5nZXJzdHJhbmdlcg==\r\n\r\n";
const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${KEY}`;

let arena: TestServer;
const strangers: Socket[] = [];
const told: { address: string; reason: string }[] = [];
const listener = (message: unknown): void => void told.push(message as (typeof told)[number]);

beforeAll(async () => {
  subscribe("sallyport:connection:refused", listener);
  arena = await startServer({ limits: LIMITS });
});
afterEach(() => {
  for (const stranger of strangers.splice(0)) stranger.destroy();
});
afterAll(async () => {
  unsubscribe("sallyport:connection:refused", listener);
  await arena[Symbol.asyncDispose]();
});

/** A connection that says this and no more. */
async function hold(says = ""): Promise<Socket> {
  const socket = connect(arena.port, "127.0.0.1");
  strangers.push(socket);
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  socket.write(says);
  return socket;
}
const open = (): number => strangers.filter(({ readyState }) => readyState === "open").length;

test("a stranger's connections give way, players stay and new ones get in", async () => {
  const webSocket = await arena.client({ udp: false }).create("arena");
  const overUdp = await arena.client().joinById(webSocket.roomId);
  for (const room of [webSocket, overUdp]) room.onMessage("*", () => {});
  for (let round = 0; round < 10; round++) {
    await Promise.all([
      hold(),
      hold("GET / HTTP/1.1\r\nHost: x\r\n"),
      hold("POST /matchmake/create/arena HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"),
      hold(upgrade("/process/room?sessionId=nobody")),
    ]);
  }
  await until(() => open() < LIMITS.tcpConnections);
  const late = await Promise.all([
    arena.client({ udp: false }).joinById(webSocket.roomId),
    arena.client().joinById(webSocket.roomId),
  ]);
  for (const room of [webSocket, overUdp, ...late]) {
    expect(room.connection.isOpen).toBe(true);
    expect(await room.request("double", 2)).toBe(4);
  }
  expect(arena.transport.metrics().refusals.connections["full"]).toBeGreaterThanOrEqual(40 - LIMITS.tcpConnections);
  expect(told).toContainEqual({ address: "127.0.0.1", reason: "full" });
  for (const room of [webSocket, overUdp, ...late]) await room.leave();
});

describe("a WebSocket without a seat is closed", () => {
  test.each([
    ["that names no room", "/"],
    ["that names a room which is not there", "/process/nowhere?sessionId=nobody"],
  ])("%s", async (_what, path) => {
    const began = performance.now();
    const stranger = await hold(upgrade(path));
    await once(stranger, "close");
    // Colyseus says goodbye before; who does not answer that would be waited for 30 s.
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("in a room, with a name that somebody else plays under", async () => {
    const player = await arena.client({ udp: false }).create("arena");
    const stranger = await hold(upgrade(`/process/${player.roomId}?sessionId=${player.sessionId}`));
    await once(stranger, "close");
    expect(player.connection.isOpen).toBe(true);
    expect(await player.request("double", 3)).toBe(6);
    await player.leave();
  });

  test("and one with a seat is not, long after", async () => {
    const player = await arena.client({ udp: false }).create("arena");
    const stranger = await hold(upgrade("/"));
    await once(stranger, "close");
    await once(await hold(upgrade("/")), "close");
    expect(await player.request("double", 4)).toBe(8);
    await player.leave();
  });
});

test("headers that do not come are not waited for", async () => {
  const socket = await hold("GET / HTTP/1.1\r\nHost: x\r\n");
  socket.pause();
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
});

describe("a server that is given", () => {
  test("gets what its maker has not chosen", () => {
    const server = createServer();
    limitConnections(server, { limits: { tcpConnections: 100 } });
    expect([server.headersTimeout, server.requestTimeout, server.maxConnections]).toEqual([10_000, 15_000, 101]);
  });

  test("keeps what its maker has", () => {
    const server = createServer({ headersTimeout: 5000, requestTimeout: 120_000 });
    server.maxConnections = 7;
    limitConnections(server, { limits: { tcpConnections: 100, requestTimeoutMs: 1000 } });
    expect([server.headersTimeout, server.requestTimeout, server.maxConnections]).toEqual([5000, 120_000, 7]);
  });
});
