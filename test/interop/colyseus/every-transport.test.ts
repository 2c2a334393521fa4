/**
 * The same on every transport: what rooms and players may expect of the end of a connection, of errors in handlers, and of what `onAuth`
 * sees, over UDP, WebRTC, WebSocket, and a WebSocket that may be left for UDP.
 */
import { CloseCode, matchMaker } from "@colyseus/core";
import { ColyseusSDK } from "@colyseus/sdk";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SallyportBrowserClient } from "../../../sdk/src/colyseus/browser/client.ts";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import type { SessionClient } from "../../../sdk/src/colyseus/client/session-client.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestServer } from "./harness.ts";
import { Link } from "./link.ts";
import { pretendToBeAPage } from "./page-in-node.ts";
import { type StrictOptions, StrictRoom, WatchfulRoom } from "./strict-rooms.ts";

pretendToBeAPage();

let server: TestServer;
const joined: SallyportRoom[] = [];
const uncaught: unknown[] = [];
const onUncaught = (error: unknown): void => void uncaught.push(error);

beforeAll(async () => {
  server = await startServer({ webrtc: true });
  server.server.define("strict", StrictRoom);
  server.server.define("watchful", WatchfulRoom);
  process.on("uncaughtException", onUncaught).on("unhandledRejection", onUncaught);
});
afterAll(async () => {
  process.off("uncaughtException", onUncaught).off("unhandledRejection", onUncaught);
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  StrictRoom.heard.length = uncaught.length = 0;
});
afterEach(async () => {
  for (const room of joined.splice(0)) {
    room.reconnection.enabled = false;
    if (room.connection.isOpen) await room.leave();
  }
});

type Options = { headers?: Record<string, string> };
const cut = new Link();
cut.cut();
const TRANSPORTS: { name: string; kind: string; client: (options?: Options) => SessionClient }[] = [
  { name: "UDP", kind: "direct", client: (options) => server.client(options) },
  { name: "WebRTC", kind: "direct", client: (options) => new SallyportBrowserClient(server.url, options) },
  { name: "WebSocket", kind: "websocket", client: (options) => server.client({ udp: false, ...options }) },
  {
    name: "a WebSocket that may be left",
    kind: "websocket",
    client: (options) => server.client({ link: cut, udpTimeoutMs: 20, ...options }),
  },
];

describe.each(TRANSPORTS)("over $name", ({ kind, client }) => {
  async function join(options: StrictOptions = {}, name = "strict"): Promise<SallyportRoom> {
    const room = await client().create(name, options);
    Object.assign(room.reconnection, { minUptime: 0, minDelay: 1, delay: 1, maxDelay: 10 });
    room.onMessage("*", () => {});
    joined.push(room);
    expect(room.path.kind).toBe(kind);
    return room;
  }
  const heard = (): string[] => StrictRoom.heard;

  describe("the end of a connection is a task of its own", () => {
    test("in the room: after leave() has returned, and after what waits for its promise", async () => {
      const room = await join();
      room.send("leave-and-tell");
      await until(() => heard().some((entry) => entry.includes("close")));
      expect(heard().find((entry) => entry.includes("close"))).toBe("returned < promise < close");
    });

    test("at the player: after leave(false) has returned; who listens from then on hears of it", async () => {
      const room = await join();
      room.reconnection.enabled = false;
      const order: string[] = [];
      room.onDrop(() => order.push("drop"));
      void room.leave(false);
      order.push("returned");
      await Promise.resolve();
      order.push("promise");
      const [code] = await next<[number]>((listener) => room.onLeave(listener));
      expect([order, code]).toEqual([["returned", "promise", "drop"], CloseCode.NO_STATUS_RECEIVED]);
    });

    test("at the player: a close by the room comes in a task after the message before it", async () => {
      const room = await join();
      const order: string[] = [];
      room.onMessage("echo", () => {
        order.push("message");
        void Promise.resolve().then(() => order.push("promise"));
      });
      room.send("echo", 1);
      room.send("kick", 4200);
      await next((listener) => room.onLeave(listener));
      expect(order).toEqual(["message", "promise"]);
    });

    test.each(["leave", "throw"] as const)(
      "onReconnect denies by %s: dropped once, then left with 4003",
      async (denies) => {
        const room = await join({ reconnection: 5, denies });
        const left = next<[number]>((listener) => room.onLeave(listener));
        void room.leave(false);
        expect((await left)[0]).toBe(CloseCode.FAILED_TO_RECONNECT);
        await until(() => heard().length >= 3);
        expect(heard()).toEqual([`onDrop ${CloseCode.NO_STATUS_RECEIVED}`, "onReconnect", "onLeave 4003"]);
      },
    );
  });

  describe("leaving within onJoin", () => {
    test.each([
      ["at once, consented", { code: 4000 }, ["onLeave 4000"], 4000],
      ["at once, with a code of the game's", { code: 4500 }, ["onDrop 4500", "onLeave 4500"], 4500],
      ["late, consented", { code: 4000, isLate: true }, ["onLeave 4000"], 4000],
      ["late, with a code of the game's", { code: 4500, isLate: true }, ["onDrop 4500", "onLeave 4500"], 4500],
      ["without a code", {}, ["onDrop 1005", "onLeave 1005"], 1005],
    ] as const)("%s: room and player hear the code", async (_how, leaveInJoin, expected, code) => {
      const outcome = await client()
        .create("strict", { leaveInJoin })
        .then(
          async (room) => {
            room.reconnection.enabled = false;
            return (await next<[number]>((listener) => room.onLeave(listener)))[0];
          },
          (error: { code: number }) => error.code,
        );
      expect(outcome).toBe(code);
      await until(() => heard().length >= expected.length);
      expect(heard()).toEqual(expected);
    });
  });

  test.each([1000, 1001, 1008, 1011, 3000, 4000, 4001, 4002, 4010, 4567, 4999])(
    "kicked with %i: room and player hear it",
    async (code) => {
      const room = await join();
      room.reconnection.enabled = false;
      const left = next<[number]>((listener) => room.onLeave(listener));
      room.send("kick", code);
      expect((await left)[0]).toBe(code);
      await until(() => heard().length > 0);
      expect(heard()[0]).toBe(`${code === CloseCode.CONSENTED ? "onLeave" : "onDrop"} ${code}`);
    },
  );

  describe("a handler that fails closes the player who asked, with 4002, and nobody else notices", () => {
    const CASES: [string, (room: SallyportRoom) => void][] = [
      ["throws", (room) => room.send("throw")],
      ["rejects", (room) => room.send("reject")],
      ["throws at bytes", (room) => room.sendBytes("throw-bytes", new Uint8Array([1]))],
      ["rejects at bytes", (room) => room.sendBytes("reject-bytes", new Uint8Array([1]))],
      ["throws at all else", (room) => room.send("throw-any")],
      ["rejects at all else", (room) => room.send("something", { id: 5 })],
      // ROOM_DATA, and a string that is longer than what comes.
      ["cannot be reached: the frame is nonsense", (room) => room.connection.send(new Uint8Array([13, 0xbf, 0x41]))],
    ];
    test.each(CASES)("%s", async (_what, fail) => {
      const bystander = await join();
      const thrower = await client().joinById(bystander.roomId);
      joined.push(thrower);
      thrower.reconnection.enabled = false;
      const left = next<[number]>((listener) => thrower.onLeave(listener));
      fail(thrower);
      expect((await left)[0]).toBe(CloseCode.WITH_ERROR);
      expect(await bystander.request("double", 4)).toBe(8);
      expect(uncaught).toEqual([]);
    });

    test("but who waits for an answer gets the error, and stays", async () => {
      const room = await join();
      await expect(room.request("reject")).rejects.toThrow("a handler rejects");
      await expect(room.request("throw")).rejects.toThrow("a handler throws");
      expect(await room.request("double", 1)).toBe(2);
      expect(uncaught).toEqual([]);
    });

    test("onLeave after onDrop: the room goes on, and ends when it is empty", async () => {
      const room = await join({ throws: ["onLeave", "onDrop"] });
      const { roomId } = room;
      void room.leave(false);
      room.reconnection.enabled = false;
      await until(() => heard().includes("onLeave 1005"));
      await until(() => matchMaker.getLocalRoomById(roomId) === undefined);
      expect(uncaught).toEqual([]);
    });

    test("a room with onUncaughtException hears of it, and the player stays", async () => {
      const room = await join({}, "watchful");
      room.send("throw");
      room.send("reject");
      expect(await room.request("double", 3)).toBe(6);
      await until(() => heard().length >= 2);
      expect(heard().sort()).toEqual(["onMessage: a handler rejects", "onMessage: a handler throws"]);
      expect(uncaught).toEqual([]);
    });
  });

  test("onAuth sees cookies and headers of the player's own", async () => {
    const headers = { cookie: "sid=secret; theme=dark", "x-own": "yes" };
    joined.push(await client({ headers }).create("strict"));
    expect(StrictRoom.auth).toEqual({ cookie: "sid=secret; theme=dark", own: "yes" });
  });

  test("what is inherited of Colyseus' client gives ours", async () => {
    const kindOfClient = client().constructor as typeof SallyportBrowserClient;
    const options = { fetchFn: (...parameters: Parameters<typeof fetch>) => fetch(...parameters) };
    const fastest = await kindOfClient.selectByLatency(["http://127.0.0.1:1", server.url], options);
    expect(fastest).toBeInstanceOf(kindOfClient);
    expect(fastest.settings.port).toBe(server.port);
    expect(fastest.sallyport.fetchFn).toBe(options.fetchFn);
    await expect(kindOfClient.selectByLatency(["http://127.0.0.1:1"])).rejects.toThrow("None of the endpoints answers");
    // Nothing static is left that would make another kind.
    const own = Object.getOwnPropertyNames(ColyseusSDK).filter(
      (name) => typeof Reflect.get(ColyseusSDK, name) === "function",
    );
    expect(own).toEqual(["selectByLatency"]);

    const first = await join();
    for (const room of [
      await client().joinById(first.roomId),
      await client().join("strict"),
      await client().joinOrCreate("strict"),
      await client().consumeSeatReservation(await matchMaker.joinById(first.roomId)),
    ] as SallyportRoom[]) {
      joined.push(room);
      expect([room.constructor.name, room.path.kind]).toEqual(["SallyportRoom", kind]);
    }
    const { reconnectionToken } = await (async () => {
      const room = await join({ reconnection: 5 });
      room.reconnection.enabled = false;
      void room.leave(false);
      await until(() => heard().some((entry) => entry.startsWith("onDrop")));
      return room;
    })();
    const again = await client().reconnect(reconnectionToken);
    joined.push(again);
    expect([again.constructor.name, again.path.kind]).toEqual(["SallyportRoom", kind]);
  });
});
