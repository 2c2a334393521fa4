/** The lobby: a Colyseus server with the rendezvous room and a page. */
import { defineServer } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { createLimitedServer, defineRendezvous, guardRequests, limitConnections, limitLog } from "sallyport/colyseus";
import { RENDEZVOUS_ROOM, type TurnOptions } from "sallyport/rendezvous";
import { listen } from "./listen.ts";
import { quietLogger } from "./logger.ts";
import { networkUrl } from "./network-url.ts";
import { servePage } from "./page.ts";
import { shareByRedis } from "./redis.ts";
import { type LobbyConnectivity, startStun, stunUrlOf } from "./stun.ts";
import { type OwnTurnOptions, startTurn } from "./turn.ts";

export interface LobbyOptions {
  /** TCP, 1-65535. */
  port: number;
  /** The address to listen on; undefined: all of this machine's. */
  host: string | undefined;
  /** The lobby's URL as players know it; invites' links begin with it. Undefined: with the URL by which a host came. */
  publicUrl: string | undefined;
  /** A reverse proxy of ours stands before us and says who is asking. */
  trustProxy: boolean;
  /** UDP port of the STUN responder; 0: none. */
  stunPort: number;
  /** STUN servers to tell of instead of our own responder. */
  stunUrls: string[] | undefined;
  /** TURN servers to tell of. */
  turn: TurnOptions | undefined;
  /** TURN by this process, on `stunPort`, in place of the STUN responder. */
  ownTurn: OwnTurnOptions | undefined;
  /** Redis by which several processes are one lobby. */
  redisUrl: string | undefined;
  warn: (text: string) => void;
}

export interface Lobby {
  /** As players know it, or as this computer does. */
  url: string;
  /** As others on this network know it, where it was given no other name. */
  network: string | undefined;
  close(): Promise<void>;
}

/** @throws Failure when the port cannot be had */
export async function startLobby(options: LobbyOptions): Promise<Lobby> {
  const { port, host, trustProxy, stunPort, stunUrls, redisUrl, warn } = options;
  const publicUrl = options.publicUrl ?? `http://localhost:${port}/`;
  const network = options.publicUrl === undefined ? networkUrl(port, host) : undefined;
  const http = createLimitedServer();
  const transport = new WebSocketTransport({ server: http });
  // Before the room is defined, which tells hosts and players of it.
  const relay = options.ownTurn && (await startTurn(options.ownTurn, stunPort, publicUrl));
  const stun = relay?.server ?? startStun(stunPort, warn);
  const turn = relay?.options ?? options.turn;
  const connectivity: LobbyConnectivity = {
    stun: stunUrls ?? (stun ? [stunUrlOf(publicUrl, stun.port)] : []),
    ...(network !== undefined && { network }),
  };
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger: quietLogger,
    ...(redisUrl === undefined ? {} : await shareByRedis(redisUrl, publicUrl)),
    transport,
    rooms: {
      [RENDEZVOUS_ROOM]: defineRendezvous({
        ...(options.publicUrl !== undefined && { publicUrl: options.publicUrl }),
        stun: connectivity.stun,
        ...(turn === undefined ? {} : { turn }),
      }),
    },
    express: (app) => servePage(app, connectivity),
  });
  limitLog();
  guardRequests(http, { trustProxy });
  limitConnections(http, { trustProxy, webSocket: transport });
  try {
    await listen(
      server,
      http,
      { port, host },
      "End that program, or choose another port: npm run lobby -- --port 2568",
    );
  } catch (error) {
    await stun?.close();
    throw error;
  }
  return {
    url: publicUrl,
    network,
    async close() {
      await stun?.close();
      await server.gracefullyShutdown(false);
      http.closeAllConnections();
    },
  };
}
