import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { CloseCode, matchMaker, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { JoinProgress } from "../../../sdk/src/colyseus/client/path.ts";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestServer } from "./harness.ts";
import { Link } from "./link.ts";
import { ArenaRoom, type ArenaState, players } from "./rooms.ts";

type ArenaClient = SallyportRoom<ArenaRoom, ArenaState>;

let arena: TestServer;
const joined: ArenaClient[] = [];

beforeAll(async () => {
  // Silence is noticed after a second.
  arena = await startServer({ pingInterval: 300 });
});
afterAll(() => arena[Symbol.asyncDispose]());
afterEach(async () => {
  for (const room of joined.splice(0)) {
    room.reconnection.enabled = false;
    if (room.connection.isOpen) await room.leave();
  }
});

async function create(link: Link, options: { udpTimeoutMs?: number } = {}): Promise<ArenaClient> {
  const room = (await arena.client({ link, ...options }).create<ArenaState>("arena")) as ArenaClient;
  room.onMessage("*", () => {});
  Object.assign(room.reconnection, { minUptime: 0, minDelay: 10, delay: 10, maxDelay: 100 });
  joined.push(room);
  await until(() => players(room.state)?.has(room.sessionId) === true);
  return room;
}

const eventsOf = ({ sessionId }: ArenaClient) =>
  ArenaRoom.log.filter((entry) => entry.sessionId === sessionId).map(({ event }) => event);

describe("automatic reconnection", () => {
  test("comes back over UDP with state, and with what was said meanwhile", async () => {
    const link = new Link();
    const room = await create(link);
    const { sessionId, reconnectionToken } = room;
    const dropped = next((listener) => room.onDrop(listener));
    link.cut();
    expect((await dropped)[0]).toBe(CloseCode.ABNORMAL_CLOSURE);
    room.send("score", 9);
    link.mend();
    await next((listener) => room.onReconnect(listener));
    await until(() => players(room.state)?.get(sessionId)?.score === 9);
    expect(room.sessionId).toBe(sessionId);
    expect(room.reconnectionToken).not.toBe(reconnectionToken);
    expect(room.path.kind).toBe("direct");
    expect(room.path.history.map(({ kind }) => kind)).toEqual(["direct"]);
    expect(eventsOf(room)).toEqual(["join", "drop", "reconnect"]);
  });

  test("does not wait until the server, too, has noticed the loss", async () => {
    const link = new Link();
    const room = await create(link);
    // The client alone gives its session up: to the server it is a player who is merely quiet.
    link.giveUp();
    await next((listener) => room.onReconnect(listener));
    expect(eventsOf(room)).toEqual(["join", "drop", "reconnect"]);
    expect(await room.request("double", 4)).toBe(8);
  });

  test("goes over WebSocket when UDP has stopped to get through", async () => {
    const link = new Link();
    // Long enough for the join that comes first, on a busy machine.
    const room = await create(link, { udpTimeoutMs: 1500 });
    const moved = next((listener) => room.onPathChange(listener));
    link.cut();
    expect((await moved)[0]).toMatchObject({ kind: "websocket", history: [{ kind: "direct" }] });
    await until(() => eventsOf(room).includes("reconnect"));
    expect(await room.request("double", 4)).toBe(8);
    room.sendUnreliable("move", 6);
    await until(() => players(room.state)?.get(room.sessionId)?.x === 6);
  });

  test("ends with 4003 when the seat is gone", async () => {
    const link = new Link();
    const room = await create(link);
    const left = next((listener) => room.onLeave(listener));
    link.cut();
    await until(() => eventsOf(room).includes("drop"));
    await matchMaker.getLocalRoomById(room.roomId).disconnect();
    link.mend();
    expect((await left)[0]).toBe(CloseCode.FAILED_TO_RECONNECT);
  });

  test("by hand, with client.reconnect() and the token", async () => {
    const link = new Link();
    const room = await create(link);
    room.reconnection.enabled = false;
    const left = next((listener) => room.onLeave(listener));
    link.cut();
    await left;
    await until(() => eventsOf(room).includes("drop"));
    const again = await arena.client().reconnect<ArenaState>(room.reconnectionToken);
    joined.push(again as ArenaClient);
    expect(again.sessionId).toBe(room.sessionId);
    expect(again.path.kind).toBe("direct");
  });
});

describe("where UDP does not get through", () => {
  test("WebSocket does, with the same seat, and the path says why", async () => {
    const link = new Link();
    link.cut();
    const progress: JoinProgress[] = [];
    const client = arena.client({ link, udpTimeoutMs: 150, onProgress: (step) => progress.push(step) });
    const room = (await client.create<ArenaState>("arena")) as ArenaClient;
    joined.push(room);
    expect(room.path).toMatchObject({ kind: "websocket", rttMs: null, history: [] });
    expect(room.path.reason).toMatch(/no answer over UDP within 150 ms/);
    expect(progress.map(({ stage }) => stage).filter((stage) => stage !== "udp")).toEqual([
      "matchmaking",
      "token",
      "websocket",
      "joined",
    ]);
    expect(await room.request("double", 3)).toBe(6);
  });

  test("a Colyseus server of any other kind is joined over WebSocket at once", async () => {
    // The matchmaker is the process's, so this second door leads to the same rooms.
    const http = createServer();
    const transport = new WebSocketTransport({ server: http });
    const other = new Server({ transport, greet: false, gracefullyShutdown: false });
    await other.listen(0, "127.0.0.1");
    const { port } = http.address() as AddressInfo;
    const room = await new SallyportClient(`http://127.0.0.1:${port}`).create<ArenaState>("arena");
    joined.push(room as ArenaClient);
    expect(room.path).toMatchObject({ kind: "websocket", reason: "UDP: this server does not speak Sallyport" });
    transport.shutdown();
  });
});

describe("AbortSignal", () => {
  test("gives a join up that waits for UDP, and its seat is not taken", async () => {
    const link = new Link();
    link.cut();
    const abort = new AbortController();
    const seat = await matchMaker.create("arena", {});
    const join = arena.client({ link }).consumeSeatReservation(seat, undefined, {
      signal: abort.signal,
      onProgress: ({ stage }) => stage === "token" && setImmediate(() => abort.abort(new Error("changed my mind"))),
    });
    await expect(join).rejects.toThrow("changed my mind");
    expect(matchMaker.getLocalRoomById(seat.roomId).hasReservedSeat(seat.sessionId)).toBe(true);
  });

  test("gives a join up that has not even begun", async () => {
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(arena.client().joinOrCreate("arena", {}, undefined, { signal })).rejects.toThrow("too late");
  });
});
