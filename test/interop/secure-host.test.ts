/** Hosts whose own server speaks TLS, and lobbies that bring players to them. */
import { createServer } from "node:https";
import { logger, Server } from "@colyseus/core";
import { afterEach, expect, test } from "vitest";
import { SallyportClient } from "../../sdk/src/colyseus/client/client.ts";
import { SallyportTransport } from "../../sdk/src/colyseus/server/transport.ts";
import { type SallyportTransportOptions } from "../../sdk/src/colyseus/server/transport-options.ts";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { makeCertificate } from "../certificate.ts";
import { until } from "../until.ts";
import { ArenaRoom } from "./colyseus/rooms.ts";
import { freePort, RunningProgram } from "./lobby-programs.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function hostAt(
  lobby: string,
  options: SallyportTransportOptions = {},
): Promise<{ invite: string; port: number }> {
  logger.error = console.warn = console.info = () => {};
  const server = createServer(makeCertificate({ names: "DNS:game.example" }));
  const transport = new SallyportTransport({ server, lobby, lan: false, connectivity: { via: [] }, ...options });
  open.push(transport);
  const game = new Server({ transport, greet: false, gracefullyShutdown: false });
  game.define("arena", ArenaRoom);
  const port = await freePort();
  await game.listen(port);
  await until(() => transport.registration?.invite !== undefined);
  return { invite: transport.registration?.invite?.url ?? "", port };
}

test("a player comes by invite, over UDP, and is told the URLs of the announced name", async () => {
  const lobbyPort = await freePort();
  const lobby = new RunningProgram("lobby.ts", [], {
    PORT: String(lobbyPort),
    PUBLIC_URL: `http://127.0.0.1:${lobbyPort}`,
  });
  open.push(lobby);
  await lobby.line(/listen|lobby/i);
  const { invite, port } = await hostAt(`http://127.0.0.1:${lobbyPort}`, { announce: { host: "11.0.0.1" } });
  const introduction = await introduce(invite);
  // The announced address comes first, and all are https.
  expect(introduction.details.endpoints[0]).toBe(`https://11.0.0.1:${port}`);
  expect(introduction.details.endpoints.every((url) => url.startsWith("https://"))).toBe(true);
  introduction.close("done");
  const client = await SallyportClient.fromInvite(invite);
  const room = await client.joinOrCreate("arena", { name: "ann" });
  expect(room.path.kind).toBe("direct");
  await room.leave();
});
