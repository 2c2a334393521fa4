import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SallyportTransport } from "../../../sdk/src/colyseus/server/transport.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestServer } from "./harness.ts";
import { type ArenaState, players } from "./rooms.ts";

let arena: TestServer;
// Another door to the same rooms, as when the same host has another address.
const door = new SallyportTransport({ connectivity: false });
let doorPort: number;
beforeAll(async () => {
  arena = await startServer({ listRooms: true });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", undefined, () => resolve()));
  doorPort = (door.server.address() as AddressInfo).port;
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await arena[Symbol.asyncDispose]();
});

test("lists the rooms that are open to all, without addresses, where the server offers it", async () => {
  const client = arena.client();
  const room = await client.create("arena");
  const [listed, ...others] = await client.getAvailableRooms("arena");
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ roomId: room.roomId, name: "arena", clients: 1 });
  expect(Object.keys(listed ?? {})).not.toContain("processId");
  expect(await client.getAvailableRooms()).toEqual([listed]);
  expect(await client.getAvailableRooms("table")).toEqual([]);
  await room.leave();
});

test.each([
  ["over UDP", true],
  ["over WebSocket", false],
])("a room follows its host to another address, %s", async (_how, udp) => {
  let asked = 0;
  const resolve = async (): Promise<string> => {
    // A lobby may be away for a moment.
    if (asked++ === 0) throw new Error("the lobby is away");
    return `http://127.0.0.1:${doorPort}`;
  };
  const client = arena.client({ udp, resolve });
  const room = await client.create<ArenaState>("arena");
  room.onMessage("*", () => {});
  Object.assign(room.reconnection, { minUptime: 0, minDelay: 10, delay: 10, maxDelay: 50, maxRetries: 100 });
  await until(() => players(room.state)?.has(room.sessionId) === true);
  const { sessionId } = room;
  expect(asked).toBe(0);

  // Nobody answers at the old address any more.
  const hole = createServer((socket) => void socket.destroy());
  await new Promise<void>((listening) => hole.listen(0, "127.0.0.1", listening));
  // Colyseus keeps the URL that it joined by.
  const url = new URL(room.connection.url ?? "");
  url.port = String((hole.address() as AddressInfo).port);
  room.connection.url = url.href;
  const reconnected = next((listener) => room.onReconnect(listener));
  room.connection.close(4010);
  await reconnected;
  expect(room.sessionId).toBe(sessionId);
  expect(room.path).toMatchObject({ kind: udp ? "direct" : "websocket", remote: `127.0.0.1:${doorPort}` });
  expect(asked).toBeGreaterThan(1);
  // Later requests go there too.
  expect(client.settings.port).toBe(doorPort);
  room.send("score", 5);
  await until(() => players(room.state)?.get(sessionId)?.score === 5);
  await room.leave();
  hole.close();
});
