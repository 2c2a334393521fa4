/** The lobby: a Colyseus server with the rendezvous room and a page. */
import { defineServer } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import {
  createLimitedServer,
  defineRendezvous,
  guardRequests,
  LobbyServers,
  type LobbyServersSettings,
  limitConnections,
  limitLog,
} from "sallyport/colyseus";
import { RENDEZVOUS_ROOM } from "sallyport/rendezvous";
import { Failure } from "../cli/program.ts";
import { listen } from "./listen.ts";
import { quietLogger } from "./logger.ts";
import { networkUrl } from "./network-url.ts";
import { servePage } from "./page.ts";
import { shareByRedis } from "./redis.ts";

export interface LobbyOptions {
  /** TCP, 1-65535. */
  port: number;
  /** The address to listen on; undefined: all of this machine's. */
  host: string | undefined;
  /** The lobby's URL as players know it; invites' links begin with it. Undefined: with the URL by which a host came. */
  publicUrl: string | undefined;
  /** A reverse proxy of ours stands before us and says who is asking. */
  trustProxy: boolean;
  /** STUN and TURN. */
  servers: LobbyServersSettings;
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
  const { port, host, trustProxy, redisUrl, warn } = options;
  const publicUrl = options.publicUrl ?? `http://localhost:${port}/`;
  const network = options.publicUrl === undefined ? networkUrl(port, host) : undefined;
  const http = createLimitedServer();
  const transport = new WebSocketTransport({ server: http });
  // Before the room is defined, which tells hosts and players of it.
  const servers = await openServers(options.servers, publicUrl);
  if (servers.stunFailure !== undefined) {
    const { code } = servers.stunFailure;
    warn(
      `No STUN here: UDP port ${options.servers.stunPort} cannot be had (${code}). STUN_PORT chooses another, STUN_PORT=0 none.`,
    );
  }
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger: quietLogger,
    ...(redisUrl === undefined ? {} : await shareByRedis(redisUrl, publicUrl)),
    transport,
    rooms: {
      [RENDEZVOUS_ROOM]: defineRendezvous({
        ...(options.publicUrl !== undefined && { publicUrl: options.publicUrl }),
        ...servers.options,
      }),
    },
    express: (app) => servePage(app, { stun: servers.options.stun ?? [], ...(network !== undefined && { network }) }),
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
    await servers.close();
    throw error;
  }
  return {
    url: publicUrl,
    network,
    async close() {
      await servers.close();
      await server.gracefullyShutdown(false);
      http.closeAllConnections();
    },
  };
}

/** @throws Failure with the sentence of whatever TURN=own lacks */
async function openServers(servers: LobbyServersSettings, publicUrl: string): Promise<LobbyServers> {
  try {
    return await LobbyServers.open({ ...servers, publicUrl });
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error));
  }
}
