// One game, one file of tests: on Colyseus' own transport and client, and on ours. What differs stands in the first lines.
import { Client as ColyseusClient, type Room } from "@colyseus/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { until } from "../../until.ts";
import { next } from "./harness.ts";
import { Program } from "./program.ts";
import { type ArenaRoom, type ArenaState, type Move, players, type TableState } from "./rooms.ts";

// Colyseus' default.
// oxlint-disable-next-line typescript/no-explicit-any
type Arena = Room<any, ArenaState>;

describe.each([
  { name: "@colyseus/ws-transport and @colyseus/sdk", transport: "ws", Client: ColyseusClient },
  {
    name: "sallyport/colyseus and sallyport/client",
    transport: "sallyport",
    Client: SallyportClient as typeof ColyseusClient,
  },
])("a game on $name", ({ transport, Client }) => {
  let program: Program;
  let client: ColyseusClient;
  const joined: Arena[] = [];

  beforeAll(async () => {
    program = new Program("game.ts", [transport]);
    client = new Client(`http://127.0.0.1:${await program.line(/^listening (\d+)/)}`);
    console.info = console.warn = () => {};
  });
  afterAll(() => program[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const room of joined.splice(0)) if (room.connection.isOpen) await room.leave();
  });

  async function join(options: object = {}, roomId?: string): Promise<Arena> {
    const room: Arena =
      roomId === undefined
        ? await client.create<ArenaState>("arena", options)
        : await client.joinById<ArenaState>(roomId, options);
    room.onMessage("*", () => {});
    joined.push(room);
    await until(() => players(room.state)?.has(room.sessionId) === true);
    return room;
  }

  test("two players see each other come, score, talk and go", async () => {
    const ann = await join({ name: "ann" });
    const bob = await join({ name: "bob" }, ann.roomId);
    await until(() => players(ann.state)?.get(bob.sessionId)?.name === "bob");
    bob.send("score", 3);
    await until(() => players(ann.state)?.get(bob.sessionId)?.score === 3);
    const heard = next((listener) => ann.onMessage("shout", listener));
    bob.send("shout", "hello");
    expect(await heard).toEqual(["hello"]);
    expect(await bob.leave()).toBe(4000);
    await until(() => players(ann.state)?.has(bob.sessionId) === false);
  });

  test("messages, bytes, requests and their errors", async () => {
    const room = await join();
    const echo = next((listener) => room.onMessage("echo", listener));
    const bytes = next<[Uint8Array]>((listener) => room.onMessage("bytes", listener));
    room.send("echo", { deep: [1, { x: null }], long: "y".repeat(3000) });
    room.sendBytes("bytes", new Uint8Array([1, 2, 3]));
    expect(await echo).toEqual([{ deep: [1, { x: null }], long: "y".repeat(3000) }]);
    expect([...(await bytes)[0]]).toEqual([1, 2, 3]);
    expect(await room.request("double", 4)).toBe(8);
    await expect(room.request("fail")).rejects.toThrow("as asked");
    const error = next((listener) => room.onError(listener));
    room.send("error-me");
    expect(await error).toEqual([4321, "as asked"]);
  });

  test("matchmaking: join, joinOrCreate, by id, refusals with their reasons", async () => {
    const room = await join();
    const again = await client.joinOrCreate<ArenaRoom>("arena", { name: "x" });
    const other = await client.join<ArenaRoom>("arena", { name: "y" });
    expect(again.roomId).toBe(other.roomId);
    const byId = await client.joinById<ArenaRoom>(room.roomId);
    expect(byId.roomId).toBe(room.roomId);
    await byId.leave();
    await Promise.all([again.leave(), other.leave()]);
    await expect(client.create("arena", { reject: "onAuth" })).rejects.toMatchObject({
      code: 4711,
      message: "no entry",
    });
    await expect(client.create("arena", { reject: "onJoin" })).rejects.toMatchObject({
      code: 4712,
      message: "not today",
    });
    await expect(client.joinById("nowhere")).rejects.toMatchObject({ code: 522 });
    await expect(client.create("nothing")).rejects.toMatchObject({ code: 520 });
  });

  test("comes back by itself, in the same seat, when the connection breaks", async () => {
    const room = await join({ name: "ann" });
    Object.assign(room.reconnection, { minUptime: 0, minDelay: 10, delay: 10 });
    const { sessionId } = room;
    const back = next((listener) => room.onReconnect(listener));
    room.connection.close(4010);
    await back;
    expect(room.sessionId).toBe(sessionId);
    room.send("score", 7);
    await until(() => players(room.state)?.get(sessionId)?.score === 7);
  });

  test("comes back by hand with the token", async () => {
    const room = await join();
    room.reconnection.enabled = false;
    const left = next((listener) => room.onLeave(listener));
    room.connection.close(4010);
    await left;
    const again = await client.reconnect<ArenaState>(room.reconnectionToken);
    expect(again.sessionId).toBe(room.sessionId);
    await again.leave();
  });

  test("kicks, closes and large states", async () => {
    const room = await join();
    const left = next((listener) => room.onLeave(listener));
    room.send("kick", 4567);
    expect((await left)[0]).toBe(4567);
    const large = await join({ blob: 100 });
    await until(() => large.state.blob?.length === 100);
  });

  test("views and inputs", async () => {
    const mine = await client.create<TableState>("table");
    const other = await client.joinById<TableState>(mine.roomId);
    await until(() => mine.state.hands?.length === 2 && other.state.hands?.length === 2);
    expect([...mine.state.hands].map(({ card }) => card)).toEqual([`ace of ${mine.sessionId}`, undefined]);
    const input = mine.input<InstanceType<typeof Move>>();
    input.data.dx = 5;
    input.send();
    await until(() => other.state.moved === 5);
    await Promise.all([mine.leave(), other.leave()]);
  });

  test("http, latency", async () => {
    expect(((await client.http.get("/hello", {})) as { data: object }).data).toHaveProperty("process");
    expect(await client.getLatency()).toBeGreaterThanOrEqual(0);
    const room = await join();
    const [ms] = await next<[number]>((listener) => room.ping(listener));
    expect(ms).toBeGreaterThanOrEqual(0);
  });

  // Last: it ends the server.
  test("SIGTERM tells the players, and the server ends", async () => {
    const room = await join();
    const left = next((listener) => room.onLeave(listener));
    program.process.kill("SIGTERM");
    expect((await left)[0]).toBe(4001);
    expect(await program.exited).toBe(0);
  });
});
