/** What a trace tells of players who come over UDP, over WebSocket after all, or not at all. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { traced } from "../../unit/traced.ts";
import { until } from "../../until.ts";
import { startServer, type TestServer } from "./harness.ts";
import { Link } from "./link.ts";

let arena: TestServer;
beforeAll(async () => {
  arena = await startServer();
});
afterAll(() => arena[Symbol.asyncDispose]());

test("a join over UDP, from both sides, without what would let somebody else sit there", async () => {
  const lines = traced("colyseus");
  let token = "";
  const client = arena.client({
    connectSession: (bytes, options) => {
      token = Buffer.from(bytes).toString("base64");
      return new Link().connectSession(bytes, options);
    },
  });
  client.auth.token = "auth-t0ken";
  const room = await client.create("arena");
  const { roomId, sessionId, reconnectionToken } = room;
  await room.leave();
  await until(() => lines.some((line) => line.startsWith("player-closed")));
  const begins = (line: string): boolean => lines.some((each) => each.startsWith(line));
  for (const line of [
    "join stage=matchmaking",
    `seat name=arena roomId=${roomId}`,
    "way-tried way=UDP timeoutMs=2500 isReconnection=false",
    `connect-granted roomId=${roomId} address=127.0.0.1`,
    `connect-token endpoints=["dialed 127.0.0.1:${arena.port}"`,
    `join stage=udp detail=127.0.0.1:${arena.port}`,
    `player-opened roomId=${roomId} path=direct remote=127.0.0.1:`,
    `path kind=direct remote=127.0.0.1:${arena.port} reason="UDP gets through"`,
    `joined name=arena roomId=${roomId}`,
    `player-closed roomId=${roomId} path=direct remote=127.0.0.1:`,
  ]) {
    expect(begins(line), `${line}\nin\n${lines.join("\n")}`).toBe(true);
  }
  for (const secret of [sessionId, reconnectionToken.split(":").at(-1) ?? "", token, "auth-t0ken"]) {
    expect(secret.length).toBeGreaterThan(5);
    expect(lines.join("\n")).not.toContain(secret);
  }
});

test("why WebSocket had its turn", async () => {
  const lines = traced("colyseus");
  const link = new Link();
  link.cut();
  const room = await arena.client({ link, udpTimeoutMs: 300 }).joinOrCreate("arena");
  expect(lines).toContain('way-failed way=UDP reason="UDP: no answer over UDP within 300 ms"');
  expect(lines).toContain(
    `way-tried way=WebSocket server=127.0.0.1:${arena.port} because="UDP: no answer over UDP within 300 ms"`,
  );
  expect(lines.some((line) => line.startsWith(`path kind=websocket remote=127.0.0.1:${arena.port} reason=`))).toBe(
    true,
  );
  expect(lines.join("\n")).not.toContain(room.sessionId);
  await room.leave();
});

test("a join that fails says why, and a flood of refusals is a few lines", async () => {
  const lines = traced("colyseus");
  await expect(arena.client().join("nothing")).rejects.toThrow();
  expect(lines.find((line) => line.startsWith("join-failed"))).toMatch(/code=520 reason=".*nothing.*"/);
  const ask = async (): Promise<void> => {
    await fetch(`${arena.url}/sallyport/connect?secret=1`, { method: "POST", body: "{}" });
  };
  const begun = Math.floor(performance.now() / 1000);
  for (let i = 0; i < 40; i++) await ask();
  const seconds = Math.floor(performance.now() / 1000) - begun + 1;
  const refused = lines.filter((line) => line.startsWith("connect-refused"));
  expect(refused[0]).toMatch(/^connect-refused address=127\.0\.0\.1 status=400 reason="The request is malformed."/);
  expect(refused.length).toBeLessThanOrEqual(3 * seconds);
  expect(lines.join("\n")).not.toContain("secret=1");
});
