// The same limits on a server that speaks TLS itself, where a player's socket is another object than the connection that came in.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { until } from "../../until.ts";
import { startServer } from "./harness.ts";

function certificate(): { key: Buffer; cert: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-tls-"));
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  execFileSync("openssl", [...command.split(" "), "-keyout", key, "-out", cert], { stdio: "ignore" });
  const made = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(directory, { recursive: true });
  return made;
}

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
