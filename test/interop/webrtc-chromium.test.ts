/** Browsers in a room: real Chromium, by WebRTC, beside players over UDP and WebSocket. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../until.ts";
import { next, startServer, type TestServer } from "./colyseus/harness.ts";
import { Program } from "./colyseus/program.ts";
import { ArenaRoom as Arena, type ArenaRoom, type ArenaState, players } from "./colyseus/rooms.ts";
import { StrictRoom } from "./colyseus/strict-rooms.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";
import { startLobby } from "./rendezvous-lobby.ts";
import { GamePage } from "./webrtc-page.ts";

interface PagePath {
  kind: string;
  remote: string;
  reason: string;
  rttMs: number | null;
}

describe.runIf(hasChromium)("WebRTC", { timeout: 60_000 }, () => {
  let browser: Browser;
  let game: GamePage;

  beforeAll(async () => {
    browser = await openChromium();
    game = await GamePage.serve(browser);
  }, 60_000);
  afterAll(async () => {
    await game?.[Symbol.asyncDispose]();
    await browser?.close();
  }, 30_000);

  /** Joins the arena and keeps what comes: `room`, `got`, `left`. */
  async function join(page: Page, url: string, options: object = {}): Promise<{ sessionId: string; path: PagePath }> {
    return await page.evaluate(
      `(async ([url, options]) => {
        globalThis.got = [];
        globalThis.left = undefined;
        const client = new sallyport.SallyportBrowserClient(url, options);
        const room = (globalThis.room = await client.joinOrCreate("arena", { name: "Ada" }));
        room.reconnection.enabled = false;
        room.onMessage("*", (type, message) => got.push([type, message]));
        room.onLeave((code, reason) => (globalThis.left = { code, reason }));
        return { sessionId: room.sessionId, path: room.path };
      })(${JSON.stringify([url, options])})`,
    );
  }
  const path = (page: Page): Promise<PagePath> => page.evaluate("room.path");
  const left = async (page: Page): Promise<{ code: number; reason?: string }> =>
    (await page.waitForFunction("globalThis.left")).jsonValue() as Promise<{ code: number; reason?: string }>;

  test("a room's whole traffic: state, unreliable fields, messages of both kinds, requests, a goodbye", async () => {
    await using server = await startServer({ webrtc: true });
    await using page = await game.open();
    const { sessionId, path: joined } = await join(page, server.url);
    expect(joined).toMatchObject({ kind: "direct", reason: "WebRTC gets through" });
    expect(joined.remote).toMatch(/^127\.0\.0\.1:\d+$/);
    const [connection] = server.transport.connections();
    expect(connection).toMatchObject({ sessionId, path: "direct" });
    // UDP, and not to the game's socket.
    expect(Number(joined.remote.split(":")[1])).not.toBe(server.port);

    await page.waitForFunction("room.state.players?.get(room.sessionId)?.name === 'Ada'");
    await page.evaluate("room.send('score', 3)");
    await page.waitForFunction("room.state.players.get(room.sessionId).score === 3");
    // Unreliable both ways: the message, and the field, which comes by unreliable patches alone.
    await page.evaluate("room.sendUnreliable('move', 42)");
    await page.waitForFunction("got.some(([type, x]) => type === 'moved' && x === 42)");
    await page.waitForFunction("room.state.players.get(room.sessionId).x === 42");
    expect(await page.evaluate("room.request('double', 21)")).toBe(42);
    await page.waitForFunction("room.path.rttMs > 0");
    await until(() => (connectionOf(server, sessionId)?.rttMs ?? 0) > 0);

    expect(await page.evaluate("room.leave()")).toBe(4000);
    await until(() => server.transport.connections().length === 0);
    expect(Arena.log.at(-1)).toMatchObject({ event: "leave", sessionId, code: 4000 });
    expect(game.complaints).toEqual([]);
  });

  test("a player over UDP, one over WebSocket and one over WebRTC see each other move", async () => {
    await using server = await startServer({ webrtc: true });
    await using page = await game.open();
    const { sessionId } = await join(page, server.url);
    const udp = await server.client().joinOrCreate<ArenaRoom>("arena", { name: "Udo" });
    const ws = await server.client({ udp: false }).joinOrCreate<ArenaRoom>("arena", { name: "Wes" });
    for (const room of [udp, ws]) room.onMessage("moved", () => {});
    expect([udp.path.kind, ws.path.kind, (await path(page)).kind]).toEqual(["direct", "websocket", "direct"]);
    udp.send("move", 1);
    ws.send("move", 2);
    await page.evaluate("room.sendUnreliable('move', 3)");
    const x = (state: ArenaState, id: string) => players(state)?.get(id)?.x;
    const ids = [udp.sessionId, ws.sessionId, sessionId];
    for (const room of [udp, ws]) await until(() => ids.every((id, i) => x(room.state, id) === i + 1));
    await page.waitForFunction(`${JSON.stringify(ids)}.every((id, i) => room.state.players?.get(id)?.x === i + 1)`);
    const heard = next<[string]>((listener) => udp.onMessage("shout", listener));
    await page.evaluate("room.send('shout', 'hello')");
    expect(await heard).toEqual(["hello"]);
    await page.waitForFunction("got.some(([type, text]) => type === 'shout' && text === 'hello')");
    await Promise.all([udp.leave(), ws.leave(), page.evaluate("room.leave()")]);
  });

  // 40 MiB in packets: 16 s here, a minute beside others.
  test("more than Chromium's channel takes at once, each way, and the small that comes after it", {
    timeout: 180_000,
  }, async () => {
    await using server = await startServer({ webrtc: true, maxPayload: 32 << 20 });
    await using page = await game.open();
    await join(page, server.url);
    const same = await page.evaluate(`new Promise((resolve) => {
      const bytes = Uint8Array.from({ length: 20 << 20 }, (_, i) => i * 7 + (i >> 8));
      room.onMessage("bytes", (back) => resolve(back.length === bytes.length && back.every((byte, i) => byte === bytes[i])));
      room.sendBytes("bytes", bytes);
    })`);
    expect(same).toBe(true);
    expect(await page.evaluate("room.request('double', 4)")).toBe(8);
    await page.evaluate("room.leave()");
  });

  test("a message above the room's limit ends in words, code 1009", async () => {
    await using server = await startServer({ webrtc: true });
    await using page = await game.open();
    await join(page, server.url);
    await page.evaluate("room.sendBytes('bytes', new Uint8Array(1 << 20))");
    const reason = expect.stringMatching(/^The peer sent a message of 10485\d\d bytes, 4096 are allowed\.$/);
    expect(await left(page)).toEqual({ code: 1009, reason });
  });

  test("kicked, and left by closing the page: the room hears of both", async () => {
    await using server = await startServer({ webrtc: true });
    await using page = await game.open();
    await join(page, server.url);
    await page.evaluate("room.send('kick', 4123)");
    expect(await left(page)).toMatchObject({ code: 4123 });
    const { sessionId } = await join(page, server.url);
    await page.goto("about:blank");
    await until(() => Arena.log.some((entry) => entry.sessionId === sessionId && entry.event === "drop"));
    // The page's goodbye may still get out, or the connection's end alone.
    expect([1001, 1006]).toContain(Arena.log.findLast((entry) => entry.sessionId === sessionId)?.code);
  });

  test("comes back on a new connection when the old one is cut", async () => {
    await using server = await startServer({ webrtc: true });
    await using page = await game.open();
    const { sessionId } = await join(page, server.url);
    await page.waitForFunction("room.state.players?.get(room.sessionId)?.name === 'Ada'");
    const back = await page.evaluate(`new Promise((resolve) => {
      Object.assign(room.reconnection, { enabled: true, minUptime: 0 });
      room.onReconnect(() => resolve({ sessionId: room.sessionId, path: room.path }));
      room.connection.close();
    })`);
    const again = { kind: "direct", reason: "WebRTC gets through" };
    expect(back).toMatchObject({ sessionId, path: { ...again, history: [again] } });
    await page.evaluate("room.send('score', 5)");
    await page.waitForFunction("room.state.players.get(room.sessionId)?.score === 5");
    await page.evaluate("room.leave()");
  });

  test("onAuth sees the cookies of a page of another origin, as over WebSocket", async () => {
    await using server = await startServer({ webrtc: true });
    server.server.define("strict", StrictRoom);
    await using page = await game.open();
    // Cookies know no ports: the page, from another one, is another origin and yet the same site.
    await page.context().addCookies([{ name: "sid", value: "secret", domain: "127.0.0.1", path: "/" }]);
    for (const webrtc of [true, false]) {
      StrictRoom.auth = { cookie: null, own: null };
      const kind = await page.evaluate(
        `(async ([url, options]) => {
          const room = await new sallyport.SallyportBrowserClient(url, options).create("strict");
          const { kind } = room.path;
          await room.leave();
          return kind;
        })(${JSON.stringify([server.url, { webrtc }])})`,
      );
      expect([kind, StrictRoom.auth.cookie]).toEqual([webrtc ? "direct" : "websocket", "sid=secret"]);
    }
  });

  describe("WebSocket instead, and why", () => {
    test("the server offers none", async () => {
      await using server = await startServer();
      await using page = await game.open();
      const { path: joined } = await join(page, server.url);
      expect(joined).toMatchObject({ kind: "websocket", remote: `127.0.0.1:${server.port}` });
      expect(joined.reason).toBe("WebRTC: this server offers none (SallyportTransport's webrtc is off)");
      await page.evaluate("room.leave()");
    });

    test("the server is Colyseus' own", async () => {
      await using host = new Program("guarded.ts", ["guarded"]);
      const port = await host.line(/^listening (\d+)/);
      await using page = await game.open();
      const joined = await page.evaluate(`(async () => {
        const client = new sallyport.SallyportBrowserClient("http://127.0.0.1:${port}");
        globalThis.room = await client.joinOrCreate("open");
        return room.path;
      })()`);
      expect(joined).toMatchObject({
        kind: "websocket",
        reason: expect.stringMatching(
          /^WebRTC: (this server does not speak Sallyport|the server did not answer)/,
        ) as string,
      });
    });

    test("the page wants none", async () => {
      await using server = await startServer({ webrtc: true });
      await using page = await game.open();
      const { path: joined } = await join(page, server.url, { webrtc: false });
      expect(joined).toMatchObject({ kind: "websocket", reason: "WebRTC is switched off" });
      await page.evaluate("room.leave()");
    });

    test("nothing gets through over UDP: the seat is kept for WebSocket", async () => {
      await using server = await startServer({ webrtc: true });
      await using page = await game.open();
      // A firewall's way: the answer names a port where nobody answers.
      const hole = createSocket("udp4").bind(0, "127.0.0.1");
      await once(hole, "listening");
      await page.route("**/sallyport/webrtc", async (route) => {
        const response = await route.fetch();
        const reply = (await response.json()) as { answer: string };
        const answer = reply.answer.replaceAll(/(candidate:.* 127\.0\.0\.1) \d+/g, `$1 ${hole.address().port}`);
        await route.fulfill({ response, json: { ...reply, answer } });
      });
      const { sessionId, path: joined } = await join(page, server.url, { webrtcTimeoutMs: 1500 });
      // WebSocket answers, so that no more than a second and a long round trip is waited for ICE.
      expect(joined.reason).toMatch(/^WebRTC: no open channel over UDP within 1[0-5]\d\d ms$/);
      expect(joined.kind).toBe("websocket");
      expect(server.transport.connections()).toMatchObject([{ sessionId, path: "websocket" }]);
      await page.evaluate("room.leave()");
      hole.close();
    });
  });

  test("by an invite alone: no address is told, the offer goes sealed through the lobby", async () => {
    await using lobby = await startLobby();
    await using host = new Program("webrtc-host.ts", ["graceful", lobby.url]);
    const invite = await host.line(/^http\S+#\S+/);
    await using page = await game.open();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const joined = await page.evaluate(
      `(async (invite) => {
        const client = await sallyport.SallyportBrowserClient.fromInvite(invite);
        globalThis.room = await client.joinOrCreate("arena", { name: "Ivy" });
        return room.path;
      })(${JSON.stringify(invite)})`,
    );
    expect(joined).toMatchObject({ kind: "direct", reason: "WebRTC gets through" });
    await page.waitForFunction("room.state.players?.get(room.sessionId)?.name === 'Ivy'");
    await page.evaluate("room.sendUnreliable('move', 7)");
    await page.waitForFunction("room.state.players.get(room.sessionId)?.x === 7");
    // Nobody but the lobby was asked for anything.
    expect(new Set(asked.map((url) => new URL(url).host))).toEqual(new Set([new URL(lobby.url).host]));
    expect(await page.evaluate("room.leave()")).toBe(4000);
  });

  test.each(["graceful", "exit"])("the server's process ends by itself and tells its browsers: %s", async (way) => {
    await using host = new Program("webrtc-host.ts", [way]);
    const url = await host.line(/^http\S+/);
    await using page = await game.open();
    await join(page, url);
    await page.evaluate("room.send('score', 1)");
    await page.waitForFunction("room.state.players?.get(room.sessionId)?.score === 1");
    host.process.kill("SIGUSR2");
    expect(await host.exited).toBe(way === "exit" ? 3 : 0);
    const { code } = await left(page);
    expect([1001, 1006, 4001]).toContain(code);
  });

  test("there is no more of Node in the door than in a page", async () => {
    // Bundled for browsers without a substitute for anything: opened above.
    expect(await (await game.open()).evaluate("typeof sallyport.SallyportBrowserClient")).toBe("function");
  });
});

function connectionOf(server: TestServer, sessionId: string) {
  return server.transport.connections().find((connection) => connection.sessionId === sessionId);
}
