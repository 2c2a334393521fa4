// The same limits on a server that speaks TLS itself, where a player's socket is another object than the connection that came in.
import { once } from "node:events";
import { createServer, request } from "node:https";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { certificate } from "../../certificate.ts";
import { until } from "../../until.ts";
import { startServer } from "./harness.ts";

test("a player's WebSocket is spared, strangers' handshakes and sockets give way", async () => {
  const limits = { tcpConnections: 8, seatTimeoutMs: 300 };
  await using arena = await startServer({ server: createServer(certificate()), limits });
  const { port } = arena;
  const asked = request({ port, path: "/matchmake/create/arena", method: "POST", rejectUnauthorized: false });
  asked.setHeader("Content-Type", "application/json").end("{}");
  const [answer] = await once(asked, "response");
  const { roomId, sessionId, processId } = JSON.parse(await text(answer)) as Record<string, string>;
  const player = new WebSocket(`wss://127.0.0.1:${port}/${processId}/${roomId}?sessionId=${sessionId}`, {
    rejectUnauthorized: false,
  });
  await once(player, "open");
  await until(() => arena.transport.metrics().players.websocket === 1);

  const silent: Socket[] = [];
  for (let i = 0; i < 20; i++) silent.push(connect(port, "127.0.0.1").on("error", () => {}));
  await until(() => (arena.transport.metrics().refusals.connections["full"] ?? 0) >= 12);
  const seatless = new WebSocket(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false });
  seatless.on("error", () => {});
  await once(seatless, "close");
  player.ping();
  await once(player, "pong");
  expect(player.readyState).toBe(WebSocket.OPEN);
  player.close();
  for (const socket of silent) socket.destroy();
});
