/** Players whom a hiccup put on WebSocket come back to UDP or WebRTC: one connection to their room, and no message lost or doubled. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { matchMaker } from "@colyseus/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SallyportBrowserClient } from "../../../sdk/src/colyseus/browser/client.ts";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import type { SessionClient } from "../../../sdk/src/colyseus/client/session-client.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestServer } from "./harness.ts";
import { Link } from "./link.ts";
import { pretendToBeAPage } from "./page-in-node.ts";
import { ArenaRoom, type ArenaState, players } from "./rooms.ts";

type ArenaClient = SallyportRoom<ArenaRoom, ArenaState>;

pretendToBeAPage();
let arena: TestServer;
const joined: ArenaClient[] = [];
beforeAll(async () => {
  // Silence is noticed after a second.
  arena = await startServer({ webrtc: true, pingInterval: 300 });
});
afterAll(() => arena[Symbol.asyncDispose]());
afterEach(async () => {
  for (const room of joined.splice(0)) {
    room.reconnection.enabled = false;
    if (room.connection.isOpen) await room.leave();
  }
});

/** A way that a test cuts and mends. */
interface Way {
  client: SessionClient;
  cut(): void;
  mend(): void;
}

function udp(): Way {
  const link = new Link();
  return { client: arena.client({ link, udpTimeoutMs: 300 }), cut: () => link.cut(), mend: () => link.mend() };
}

/** WebRTC whose answers lead nowhere as long as it is cut. */
async function webRTC(): Promise<Way> {
  const hole = createSocket("udp4").bind(0, "127.0.0.1");
  await once(hole, "listening");
  hole.unref();
  let isCut = false;
  const fetchFn: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!isCut || !response.url.endsWith("/sallyport/webrtc") || response.status !== 200) return response;
    const reply = (await response.json()) as { answer: string };
    const answer = reply.answer.replaceAll(/(candidate:.* 127\.0\.0\.1) \d+/g, `$1 ${hole.address().port}`);
    return Response.json({ ...reply, answer });
  };
  const client = new SallyportBrowserClient(arena.url, { webrtcTimeoutMs: 300, fetchFn });
  return { client, cut: () => (isCut = true), mend: () => (isCut = false) };
}

async function create({ client }: Way): Promise<ArenaClient> {
  const room = (await client.create<ArenaState>("arena")) as ArenaClient;
  room.onMessage("*", () => {});
  Object.assign(room.reconnection, { minUptime: 0, minDelay: 10, delay: 10, maxDelay: 100 });
  joined.push(room);
  return room;
}

/** Numbers in both directions, as long as a test wants; what came of them. */
function chatter(room: ArenaClient) {
  const echoes: number[] = [];
  const broadcasts: string[] = [];
  room.onMessage("echo", (i: number) => echoes.push(i));
  room.onMessage("shout", (text: string) => broadcasts.push(text));
  const server = matchMaker.getLocalRoomById(room.roomId) as ArenaRoom;
  let sent = 0;
  const timer = setInterval(() => {
    room.send("echo", sent);
    server.broadcast("shout", String(sent));
    sent++;
  }, 5);
  return {
    async stop(): Promise<void> {
      clearInterval(timer);
      await until(() => echoes.length >= sent && broadcasts.length >= sent);
      const all = [...Array(sent).keys()];
      expect(echoes).toEqual(all);
      expect(broadcasts).toEqual(all.map(String));
    },
  };
}

const eventsOf = ({ sessionId }: ArenaClient) =>
  ArenaRoom.log.filter((entry) => entry.sessionId === sessionId).map(({ event }) => event);
const pathOf = ({ sessionId }: ArenaClient) =>
  arena.transport.connections().filter((connection) => connection.sessionId === sessionId);

/** A player who joins while the way is cut, and what comes of it. */
async function joinDuringHiccup(name: string, way: Way): Promise<void> {
  way.cut();
  const room = await create(way);
  expect([room.path.kind, pathOf(room).map(({ path }) => path)]).toEqual(["websocket", ["websocket"]]);
  const serverClient = (matchMaker.getLocalRoomById(room.roomId) as ArenaRoom).clients.get(room.sessionId);
  const { ref } = serverClient ?? {};
  const talk = chatter(room);
  // A try fails first.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const moved = next<[SallyportRoom["path"]]>((listener) => room.onPathChange(listener));
  way.mend();
  const begun = performance.now();
  const [path] = await moved;
  expect(performance.now() - begun).toBeLessThan(10_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await talk.stop();
  expect(path).toMatchObject({
    kind: "direct",
    reason: `${name} gets through again`,
    history: [{ kind: "websocket" }],
  });
  expect(path.remote).toMatch(/^127\.0\.0\.1:\d+$/);
  // What goes unreliably does so now, and the state goes on.
  room.sendUnreliable("move", 41);
  await until(() => players(room.state)?.get(room.sessionId)?.x === 41);
  await until(() => room.path.rttMs !== null && room.path.rttMs > 0);
  expect(eventsOf(room)).toEqual(["join"]);
  const after = (matchMaker.getLocalRoomById(room.roomId) as ArenaRoom).clients.get(room.sessionId);
  expect([after === serverClient, after?.ref === ref]).toEqual([true, true]);
  expect(pathOf(room)).toMatchObject([{ path: "direct" }]);
  expect(await room.leave()).toBe(4000);
  await until(() => eventsOf(room).includes("leave"));
  expect(eventsOf(room)).toEqual(["join", "leave"]);
}

/** A player who falls back in mid-game. */
async function fallBack(way: Way): Promise<void> {
  const room = await create(way);
  await until(() => players(room.state)?.has(room.sessionId) === true);
  const fallen = next<[SallyportRoom["path"]]>((listener) => room.onPathChange(listener));
  way.cut();
  expect((await fallen)[0].kind).toBe("websocket");
  await until(() => eventsOf(room).includes("reconnect"));
  const talk = chatter(room);
  way.mend();
  await until(() => room.path.kind === "direct", { timeoutMs: 10_000 });
  await talk.stop();
  expect(room.path.history.map(({ kind }) => kind)).toEqual(["direct", "websocket"]);
  expect(eventsOf(room)).toEqual(["join", "drop", "reconnect"]);
  // And again: the session is watched and lost as any other.
  way.cut();
  await until(() => room.path.kind === "websocket");
  await until(() => eventsOf(room).length === 5);
  expect(eventsOf(room).slice(3)).toEqual(["drop", "reconnect"]);
}

async function kickedAfter(delayMs: number, way: Way): Promise<void> {
  way.cut();
  const room = await create(way);
  room.reconnection.enabled = false;
  way.mend();
  const left = next<[number]>((listener) => room.onLeave(listener));
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  room.send("kick", 4321);
  expect((await left)[0]).toBe(4321);
  await until(() => eventsOf(room).includes("drop"));
}

// All at once, for they mostly wait.
test("who joined during a hiccup or fell back in mid-game is there within ten seconds of its end, unnoticed by the room", async () => {
  const rtc = await webRTC();
  await Promise.all([joinDuringHiccup("UDP", udp()), joinDuringHiccup("WebRTC", rtc), fallBack(udp())]);
});

test("a player kicked just then hears the code, whichever way it is on", async () => {
  await Promise.all([1000, 2000, 2200, 2250, 2300, 2350, 2400].map((delayMs) => kickedAfter(delayMs, udp())));
});

test("a server without WebRTC is not asked for it again", async () => {
  const asked: string[] = [];
  const fetchFn: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    asked.push(response.url);
    return response;
  };
  const client = new SallyportBrowserClient(arena.url, { fetchFn, webrtc: false });
  const room = (await client.create<ArenaState>("arena")) as ArenaClient;
  joined.push(room);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(asked.filter((url) => url.includes("/sallyport/"))).toEqual([]);
  expect(room.path).toMatchObject({ kind: "websocket", reason: "WebRTC is switched off" });
});

describe("a stranger", () => {
  const post = async (body: object): Promise<number> => {
    const headers = { "content-type": "application/json" };
    const url = `${arena.url}/sallyport/connect`;
    return (await fetch(url, { method: "POST", headers, body: JSON.stringify({ protocol: 2, ...body }) })).status;
  };

  test("gets no session for a player on WebSocket by a key that it guesses, nor by one of somebody else", async () => {
    const way = udp();
    way.cut();
    const { roomId, sessionId } = await create(way);
    const upgrade = "0123456789abcdef0123456789abcdef";
    expect(await post({ roomId, sessionId, upgrade })).toBe(404);
    expect(await post({ roomId, sessionId, upgrade: "short" })).toBe(400);
    expect(await post({ roomId, sessionId, upgrade, reconnectionToken: "x" })).toBe(400);
    expect(await post({ roomId, sessionId })).toBe(404);
  });
});
