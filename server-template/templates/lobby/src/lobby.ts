/** The lobby: hosts register here, players come with their invites; and its page, its STUN and its TURN. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineServer } from "@colyseus/core";
import { RedisDriver } from "@colyseus/redis-driver";
import { RedisPresence } from "@colyseus/redis-presence";
import { WebSocketTransport } from "@colyseus/ws-transport";
import express, { type Application } from "express";
import {
  createLimitedServer,
  defineRendezvous,
  guardRequests,
  LobbyServers,
  limitConnections,
  limitLog,
  OwnPages,
  RendezvousRoom,
} from "sallyport/colyseus";
import { RENDEZVOUS_ROOM } from "sallyport/rendezvous";
import { metricsOf } from "./metrics.ts";
import type { Settings } from "./settings.ts";

const PUBLIC = fileURLToPath(new URL("../public", import.meta.url));
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
} as const;
/** A game's page has its settings in it, opens invites with WebAssembly, and reaches hosts wherever they are. */
const GAME_HEADERS = {
  "Content-Security-Policy":
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src * ws: wss:; base-uri 'none'; frame-ancestors 'none'",
} as const;
/** Of the list; a page asks every few seconds, and a lobby may have thousands. */
const MOST_LISTED = 200;

export interface Lobby {
  /** Pages for whoever runs this lobby. */
  own: OwnPages;
  servers: LobbyServers;
  close(): Promise<void>;
}

export async function startLobby(settings: Settings): Promise<Lobby> {
  const { port, host, publicUrl, trustProxy, tls, redisUrl } = settings;
  const http = createLimitedServer(undefined, tls);
  const transport = new WebSocketTransport({ server: http });
  const servers = await LobbyServers.open({ publicUrl, ...settings.servers });
  const own = new OwnPages({ key: settings.ownKey });
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    transport,
    // An invite leads to the process that has the game.
    ...(redisUrl && {
      driver: new RedisDriver(redisUrl),
      presence: new RedisPresence(redisUrl),
      publicAddress: new URL(publicUrl).host,
    }),
    rooms: { [RENDEZVOUS_ROOM]: defineRendezvous({ publicUrl, ...servers.options }) },
    express: (app) => servePage(app, settings, own, servers),
  });
  // Strangers take so much and no more: requests, connections, lines in the log.
  limitLog();
  guardRequests(http, { trustProxy });
  limitConnections(http, { trustProxy, webSocket: transport });
  try {
    await Promise.race([server.listen(port, host), new Promise((_, reject) => http.once("error", reject))]);
  } catch (error) {
    await servers.close();
    throw error;
  }
  return {
    own,
    servers,
    async close() {
      await servers.close();
      await server.gracefullyShutdown(false);
      http.closeAllConnections();
    },
  };
}

function servePage(app: Application, { name }: Settings, own: OwnPages, servers: LobbyServers): void {
  app.use((request, response, next) => {
    response.set(HEADERS);
    if (request.path.startsWith("/play/")) response.set(GAME_HEADERS);
    next();
  });
  // What the page shows, and `sallyport doctor --lobby` asks.
  app.get("/games", async (_request, response) => {
    response.json((await RendezvousRoom.list()).slice(0, MOST_LISTED));
  });
  app.get("/connectivity", (_request, response) => void response.json({ stun: servers.options.stun }));
  app.get("/lobby.json", (_request, response) => {
    response.json({ name, plays: existsSync(`${PUBLIC}/play/index.html`) });
  });
  app.get("/metrics", own.middleware, async (_request, response) => {
    response.type("text/plain").send(metricsOf(await RendezvousRoom.list(), servers.turn));
  });
  app.use(express.static(PUBLIC));
}
