import { type IRoomCache, LobbyRoom, matchMaker } from "@colyseus/core";
import { Client } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SocketHost } from "../../../sdk/src/colyseus/server/hosts/socket-host.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestServer } from "./harness.ts";

/** A host whose router gives it whatever address the test says. */
class MovingHost extends SocketHost {
  outside: Endpoint[] = [];

  override dialable(): Endpoint[] {
    return this.outside;
  }

  move(...outside: Endpoint[]): void {
    this.outside = outside;
    this.onChange?.();
  }
}

const host = new MovingHost();
let arena: TestServer;
beforeAll(async () => {
  arena = await startServer({}, host);
  arena.server.define("lobby", LobbyRoom);
});
afterAll(() => arena[Symbol.asyncDispose]());

const storedAddress = async (roomId: string): Promise<string | undefined> =>
  (await matchMaker.driver.findOne({ roomId })).publicAddress;

test("rooms of before and after a change of address are stored with the present one", async () => {
  const before = await matchMaker.createRoom("arena", {});
  expect(await storedAddress(before.roomId)).toBeUndefined();
  host.move({ address: "11.0.0.2", port: 7777 });
  const after = await matchMaker.createRoom("arena", {});
  await until(() => before.publicAddress !== undefined);
  expect([await storedAddress(before.roomId), await storedAddress(after.roomId)]).toEqual(
    Array(2).fill("11.0.0.2:7777"),
  );
  host.move({ address: "2a11::5", port: 7778 });
  await until(() => before.publicAddress === "[2a11::5]:7778" && after.publicAddress === "[2a11::5]:7778");
  expect(arena.transport.publicAddress).toBe("[2a11::5]:7778");
  // Another process makes its seats of this.
  expect(matchMaker.buildSeatReservation(await matchMaker.driver.findOne({ roomId: after.roomId }), "s")).toMatchObject(
    {
      publicAddress: "[2a11::5]:7778",
    },
  );
  host.move();
  await until(() => before.publicAddress === undefined && after.publicAddress === undefined);
  expect(await storedAddress(after.roomId)).toBeUndefined();
});

test("a lobby does not tell, and a room that is gone does not come back by a change of address", async () => {
  host.move({ address: "11.0.0.2", port: 7777 });
  const gone = await matchMaker.createRoom("arena", {});
  await matchMaker.getLocalRoomById(gone.roomId).disconnect();
  const room = await matchMaker.createRoom("arena", {});
  const lobby = await new Client(arena.url).joinOrCreate("lobby");
  const [rooms] = await next<[IRoomCache[]]>((listener) => lobby.onMessage("rooms", listener));
  expect(rooms.map(({ roomId }) => roomId)).toContain(room.roomId);
  expect(rooms.map(({ roomId }) => roomId)).not.toContain(gone.roomId);
  expect(JSON.stringify(rooms)).not.toContain("11.0.0.2");
  host.move({ address: "11.0.0.3", port: 7777 });
  await until(() => room.publicAddress === "11.0.0.3:7777");
  expect(JSON.stringify(await matchMaker.query({}))).not.toMatch(/11\.0\.0|publicAddress/);
  expect(await matchMaker.query({ roomId: gone.roomId })).toEqual([]);
  await lobby.leave();
});

test("who asked this very process is not sent to an address that might not lead back in", async () => {
  host.move({ address: "11.0.0.2", port: 7777 });
  const seat = await (await fetch(`${arena.url}/matchmake/create/arena`, { method: "POST" })).json();
  expect(seat).toMatchObject({ processId: matchMaker.processId });
  expect(seat).not.toHaveProperty("publicAddress");
  const room = await arena.client().create("arena");
  expect(room.path.kind).toBe("direct");
  await room.leave();
});
