/** What a hosted game tells its neighbours, from its first player to its end. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { AddressInfo } from "node:net";
import { Server } from "@colyseus/core";
import { expect, test } from "vitest";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { SallyportTransport } from "../../../sdk/src/colyseus/server/transport.ts";
import { Cable, CableEnd } from "../../unit/lan/cable.ts";
import { ArenaRoom } from "./rooms.ts";

test("players of the house find the game, see how many play, and learn when it has ended", async () => {
  delete process.env["SALLYPORT_LAN"];
  const cable = new Cable();
  const told: unknown[] = [];
  const tell = (message: unknown): number => told.push(message);
  subscribe("sallyport:lan", tell);
  const transport = new SallyportTransport({
    connectivity: false,
    description: "Ann's",
    lan: { network: new CableEnd(cable, "127.0.0.1"), application: "arena" },
  });
  const server = new Server({ transport, greet: false, gracefullyShutdown: false });
  server.define("arena", ArenaRoom);
  await server.listen(0);
  const { port } = transport.server.address() as AddressInfo;
  expect(told).toEqual([{ addresses: ["127.0.0.1"], problem: "" }]);
  expect(transport.lan?.state).toEqual(told[0]);

  const search = { application: "arena", network: new CableEnd(cable, "127.0.0.2") };
  const games = SallyportClient.discoverEach({ ...search, timeoutMs: Number.POSITIVE_INFINITY });
  const first = (await games.next()).value;
  expect(first).toMatchObject({ url: `http://127.0.0.1:${port}`, description: "Ann's", players: 0, maxPlayers: 0 });
  const client = new SallyportClient(first.url);
  const room = await client.joinOrCreate("arena");
  expect(room.path).toMatchObject({ kind: "direct", reason: "UDP gets through" });
  // Nobody has to ask: a change is announced.
  expect((await games.next()).value).toMatchObject({ id: first.id, players: 1 });
  await room.leave();
  expect((await games.next()).value).toMatchObject({ id: first.id, players: 0 });
  await games.return(undefined);

  await server.gracefullyShutdown(false);
  await transport[Symbol.asyncDispose]();
  unsubscribe("sallyport:lan", tell);
  expect(cable.ends.size).toBe(0);
  const again = { ...search, network: new CableEnd(cable, "127.0.0.2"), timeoutMs: 20 };
  expect(await SallyportClient.discover(again)).toEqual([]);
});

test.each([
  ["`lan: false`", false, undefined],
  ["a game on this machine alone", true, "127.0.0.1"],
])("%s opens no socket but the game's own", async (_what, lan, hostname) => {
  delete process.env["SALLYPORT_LAN"];
  let sockets = 0;
  const count = (): number => ++sockets;
  subscribe("udp.socket", count); // Node's own channel
  await using transport = new SallyportTransport({ connectivity: false, lan });
  await new Server({ transport, greet: false, gracefullyShutdown: false }).listen(0, hostname);
  unsubscribe("udp.socket", count);
  expect(sockets).toBe(1);
  expect(transport.lan === undefined).toBe(!lan);
});
