import { CloseCode, matchMaker } from "@colyseus/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import { broadcastUnreliable, sendUnreliable } from "../../../sdk/src/colyseus/server/clients/unreliable.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestClientOptions, type TestServer } from "./harness.ts";
import { type ArenaOptions, ArenaRoom, type ArenaState, type Move, players, type TableState } from "./rooms.ts";

type ArenaClient = SallyportRoom<ArenaRoom, ArenaState>;

let arena: TestServer;
const joined: ArenaClient[] = [];

beforeAll(async () => {
  arena = await startServer({ maxPayload: 64 * 1024 });
});
afterAll(() => arena[Symbol.asyncDispose]());
afterEach(async () => {
  for (const room of joined.splice(0)) if (room.connection.isOpen) await room.leave();
});

async function join(
  options: ArenaOptions = {},
  clientOptions: TestClientOptions = {},
  how?: string,
): Promise<ArenaClient> {
  const client: SallyportClient = arena.client(clientOptions);
  const room: ArenaClient = await (how === undefined
    ? client.create<ArenaRoom>("arena", options)
    : client.joinById<ArenaRoom>(how, options));
  room.onMessage("*", () => {});
  joined.push(room);
  return room;
}

const serverRoom = (room: ArenaClient): ArenaRoom => matchMaker.getLocalRoomById(room.roomId) as ArenaRoom;
const serverClient = (room: ArenaClient) => serverRoom(room).clients.get(room.sessionId)!;
const playerOf = (room: ArenaClient, who: ArenaClient = room) => players(room.state)?.get(who.sessionId);

// What game code may expect of Colyseus, over its own protocol and over ours.
describe.each([
  { transport: "udp", udp: true, kind: "direct" },
  { transport: "websocket", udp: false, kind: "websocket" },
])("a room over $transport", ({ udp, kind }) => {
  test("is joined, and its path says how", async () => {
    const room = await join({}, { udp });
    expect(room.path.kind).toBe(kind);
    expect(room.path.remote).toBe(`127.0.0.1:${arena.port}`);
    expect(room.path.history).toEqual([]);
  });

  test("syncs its state", async () => {
    const room = await join({ name: "ann" }, { udp });
    room.send("score", 3);
    await until(() => playerOf(room)?.score === 3);
    expect(playerOf(room)?.name).toBe("ann");
  });

  test("syncs fields that are marked unreliable", async () => {
    const room = await join({}, { udp });
    await until(() => playerOf(room) !== undefined);
    room.send("move", 7);
    await until(() => playerOf(room)?.x === 7);
  });

  test("carries messages sent within onJoin, messages, bytes and broadcasts", async () => {
    const client = arena.client({ udp });
    const room = (await client.create<ArenaState>("arena", { name: "ann" })) as ArenaClient;
    joined.push(room);
    const welcome = next((listener) => room.onMessage("welcome", listener));
    const echo = next((listener) => room.onMessage("echo", listener));
    const bytes = next<[Uint8Array]>((listener) => room.onMessage("bytes", listener));
    const shout = next((listener) => room.onMessage("shout", listener));
    room.send("echo", { a: [1, "zwei", null], b: new Uint8Array([1, 2, 3]) });
    room.sendBytes("bytes", new Uint8Array([9, 8, 7]));
    room.send("shout", "hey");
    expect(await welcome).toEqual(["ann"]);
    expect(await echo).toMatchObject([{ a: [1, "zwei", null] }]);
    expect([...(await bytes)[0]]).toEqual([9, 8, 7]);
    expect(await shout).toEqual(["hey"]);
  });

  test("keeps the order of many messages, and large ones whole", async () => {
    const room = await join({}, { udp });
    const got: number[] = [];
    room.onMessage("echo", (payload: { i: number; fill: string }) => got.push(payload.i));
    const sizes = [10, 30_000, 0, 5_000, 1_200, 60_000];
    for (let i = 0; i < 60; i++) room.send("echo", { i, fill: "y".repeat(sizes[i % sizes.length] ?? 0) });
    await until(() => got.length === 60);
    expect(got).toEqual([...got.keys()]);
  });

  test("answers requests, and tells of errors in them", async () => {
    const room = await join({}, { udp });
    expect(await room.request("double", 21)).toBe(42);
    await expect(room.request("fail")).rejects.toThrow("as asked");
  });

  test("measures the round trip", async () => {
    const room = await join({}, { udp });
    const [ms] = await next<[number]>((listener) => room.ping(listener));
    expect(ms).toBeGreaterThanOrEqual(0);
  });

  test("sends what waits for the next patch after it", async () => {
    const room = await join({}, { udp });
    const ticks = new Promise((resolve) => {
      room.onMessage("after-patch", (sent: number) => resolve([sent, room.state.ticks]));
    });
    room.send("after-patch");
    expect(await ticks).toEqual([1, 1]);
  });

  test("brings a first state of a megabyte", async () => {
    const room = await join({ blob: 1024 }, { udp });
    await until(() => room.state.blob?.length === 1024);
    expect([...room.state.blob].map((text) => text.length)).toEqual(Array(1024).fill(1024));
  });

  test("brings errors to the client and stays", async () => {
    const room = await join({}, { udp });
    const error = next((listener) => room.onError(listener));
    room.send("error-me");
    expect(await error).toEqual([4321, "as asked"]);
    expect(await room.request("double", 1)).toBe(2);
  });

  test.each(["onAuth", "onJoin"] as const)("refuses whom %s refuses, and says why", async (reject) => {
    const expected = {
      code: reject === "onAuth" ? 4711 : 4712,
      message: reject === "onAuth" ? "no entry" : "not today",
    };
    await expect(join({ reject }, { udp })).rejects.toMatchObject(expected);
  });

  test("shows onAuth the token and the address of the player", async () => {
    const client = arena.client({ udp });
    client.auth.token = "token-of-ann";
    joined.push((await client.create<ArenaState>("arena")) as ArenaClient);
    expect(ArenaRoom.auth).toEqual({ token: "token-of-ann", ip: "127.0.0.1" });
  });

  test("is left with consent", async () => {
    const room = await join({}, { udp });
    expect(await room.leave()).toBe(CloseCode.CONSENTED);
    await until(() => ArenaRoom.log.at(-1)?.event === "leave");
    expect(ArenaRoom.log.at(-1)).toEqual({ event: "leave", sessionId: room.sessionId, code: CloseCode.CONSENTED });
  });

  test("kicks with a code", async () => {
    const room = await join({}, { udp });
    const left = next((listener) => room.onLeave(listener));
    room.send("kick", 4567);
    expect((await left)[0]).toBe(4567);
    await until(() => ArenaRoom.log.at(-1)?.sessionId === room.sessionId && ArenaRoom.log.at(-1)?.event === "drop");
    expect(ArenaRoom.log.at(-1)?.code).toBe(4567);
  });

  test("disconnects everybody at its end", async () => {
    const room = await join({}, { udp });
    const left = next((listener) => room.onLeave(listener));
    await serverRoom(room).disconnect();
    expect((await left)[0]).toBe(CloseCode.CONSENTED);
  });

  test("drops whoever floods", async () => {
    const room = await join({}, { udp });
    serverRoom(room).maxMessagesPerSecond = 5;
    const left = next((listener) => room.onLeave(listener));
    for (let i = 0; i < 20; i++) room.send("echo", i);
    expect((await left)[0]).toBe(CloseCode.WITH_ERROR);
  });

  test("drops whoever sends more than maxPayload", async () => {
    const room = await join({}, { udp });
    const left = next((listener) => room.onLeave(listener));
    room.send("echo", "z".repeat(70_000));
    expect((await left)[0]).toBe(1009);
  });

  test("shows each player what its view holds, and takes inputs", async () => {
    const client = arena.client({ udp });
    const mine = await client.create<TableState>("table");
    const other = await client.joinById<TableState>(mine.roomId);
    await until(() => mine.state.hands?.length === 2 && other.state.hands?.length === 2);
    expect([...mine.state.hands].map(({ card }) => card)).toEqual([`ace of ${mine.sessionId}`, undefined]);
    expect([...other.state.hands].map(({ card }) => card)).toEqual([undefined, `ace of ${other.sessionId}`]);
    for (const mode of ["unreliable", "reliable"] as const) {
      const room = mode === "unreliable" ? mine : other;
      const input = room.input<InstanceType<typeof Move>>({ mode });
      for (let i = 0; i < 3; i++) {
        input.data.dx = 5;
        input.send();
      }
    }
    await until(() => mine.state.moved === 30 && mine.state.light === 30 && other.state.light === 30);
    await Promise.all([mine.leave(), other.leave()]);
  });

  test("does not let a seat be taken after its time", async () => {
    const { seat, client } = await reserve({ reservationSeconds: 0.01 });
    await until(() => !matchMaker.getLocalRoomById(seat.roomId).hasReservedSeat(seat.sessionId));
    await expect(client.consumeSeatReservation(seat)).rejects.toMatchObject({ code: 524 });
  });

  test("does not let a seat be taken twice", async () => {
    const { seat, client } = await reserve({});
    joined.push((await client.consumeSeatReservation<ArenaState>(seat)) as ArenaClient);
    await expect(client.consumeSeatReservation(seat)).rejects.toMatchObject({ code: 524 });
  });

  async function reserve(options: ArenaOptions) {
    const seat = await matchMaker.create("arena", options);
    return { seat, client: arena.client({ udp }) };
  }
});

test("players over UDP and over WebSocket see each other", async () => {
  const udp = await join({ name: "udp" });
  const ws = await join({ name: "ws" }, { udp: false }, udp.roomId);
  await until(() => playerOf(udp, ws) !== undefined && playerOf(ws, udp) !== undefined);
  udp.send("score", 3);
  ws.send("score", 5);
  await until(() => playerOf(ws, udp)?.score === 3 && playerOf(udp, ws)?.score === 5);
  udp.send("move", 30);
  ws.send("move", 50);
  await until(() => playerOf(ws, udp)?.x === 30 && playerOf(udp, ws)?.x === 50);
  const heard = next((listener) => udp.onMessage("shout", listener));
  ws.send("shout", "hello");
  expect(await heard).toEqual(["hello"]);
});

describe("unreliable messages", () => {
  test("go to the server", async () => {
    const room = await join();
    const moved = next((listener) => room.onMessage("moved", listener));
    room.sendUnreliable("move", 12);
    expect(await moved).toEqual([12]);
  });

  test("go to one client, and to all but some, over both protocols", async () => {
    const udp = await join();
    const ws = await join({}, { udp: false }, udp.roomId);
    const got: string[] = [];
    udp.onMessage("at", (x: number) => got.push(`udp ${x}`));
    ws.onMessage("at", (x: number) => got.push(`ws ${x}`));
    await until(() => serverClient(udp).state === 1 && serverClient(ws).state === 1);
    sendUnreliable(serverClient(udp), "at", 1);
    sendUnreliable(serverClient(ws), "at", 2);
    broadcastUnreliable(serverRoom(udp), "at", 3);
    broadcastUnreliable(serverRoom(udp), "at", 4, { except: serverClient(udp) });
    await until(() => got.length === 5);
    expect(got.toSorted()).toEqual(["udp 1", "udp 3", "ws 2", "ws 3", "ws 4"]);
  });
});

test("a player who joins a room whose unreliable numbers are past 32767 gets unreliable fields at once", async () => {
  const first = await join();
  // @ts-expect-error private: half an hour of patches at 20 Hz.
  serverRoom(first)._serializer.unreliableSeq = 40_000;
  const udp = await join({}, {}, first.roomId);
  const ws = await join({}, { udp: false }, first.roomId);
  await until(() => playerOf(udp, ws) !== undefined && playerOf(ws) !== undefined);
  ws.send("move", 8);
  await until(() => playerOf(udp, ws)?.x === 8 && playerOf(ws, ws)?.x === 8);
});

test("simulateLatency delays what goes out over UDP", async () => {
  const room = await join();
  arena.transport.simulateLatency(40);
  try {
    const [ms] = await next<[number]>((listener) => room.ping(listener));
    expect(ms).toBeGreaterThanOrEqual(39);
  } finally {
    arena.transport.simulateLatency(0);
  }
});
