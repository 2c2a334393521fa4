/** The lobby: a Colyseus server with the rendezvous room and a page. */
import { createServer } from "node:http";
import { defineServer } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { defineRendezvous, RENDEZVOUS_ROOM } from "sallyport/rendezvous";
import { guardFront } from "./front.ts";
import { listen } from "./listen.ts";
import { quietLogger } from "./logger.ts";
import { servePage } from "./page.ts";

export interface LobbyOptions {
  /** TCP, 1-65535. */
  port: number;
  /** The lobby's URL as players know it; invites' links begin with it. */
  publicUrl: string;
  /** A reverse proxy of ours stands before us and says who is asking. */
  trustProxy: boolean;
}

export interface Lobby {
  close(): Promise<void>;
}

/** @throws Failure when the port cannot be had */
export async function startLobby({ port, publicUrl, trustProxy }: LobbyOptions): Promise<Lobby> {
  const http = createServer();
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger: quietLogger,
    transport: new WebSocketTransport({ server: http }),
    rooms: { [RENDEZVOUS_ROOM]: defineRendezvous({ publicUrl }) },
    express: servePage,
  });
  guardFront(http, { trustProxy });
  await listen(server, http, port, "End that program, or choose another port: PORT=2568 npm run lobby");
  return {
    async close() {
      await server.gracefullyShutdown(false);
      http.closeAllConnections();
    },
  };
}
