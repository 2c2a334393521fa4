/** A lobby in this process, and one room of it that does not play fair. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Client, Server as ColyseusServer, defineRoom, matchMaker } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { defineRendezvous, type RendezvousOptions, RendezvousRoom } from "../../sdk/src/colyseus/lobby/room.ts";

export const silent: Record<"debug" | "error" | "info" | "trace" | "warn", () => void> = {
  debug() {},
  info() {},
  trace() {},
  warn() {},
  error() {},
};

export interface TestLobby extends AsyncDisposable {
  url: string;
  http: Server;
  /** As when the lobby's network goes away. */
  breakConnections(): void;
  /** As when a NAT on the way has forgotten the WebSockets: nothing arrives any more, and nobody is told. */
  freezeConnections(): void;
}

/** One at a time: Colyseus' matchmaker is one for each process. */
export async function startLobby(options: RendezvousOptions = {}): Promise<TestLobby> {
  const http = createServer();
  const sockets = new Set<Socket>();
  http.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const server = new ColyseusServer({
    greet: false,
    gracefullyShutdown: false,
    transport: new WebSocketTransport({ server: http }),
    logger: silent,
  });
  const room = defineRendezvous(options);
  matchMaker.addRoomType(Object.assign(room, { name: "rendezvous" }));
  const evil = defineRoom(EvilRoom, room.options as Record<string, unknown>).filterBy(["invite"]);
  matchMaker.addRoomType(Object.assign(evil, { name: "evil" }));
  // The same with credentials that hardly last.
  const turn = { urls: ["turn:turn.example:3478"], secret: "north", ttlSeconds: 1 };
  matchMaker.addRoomType(Object.assign(defineRendezvous({ turn }), { name: "brief" }));
  await server.listen(0);
  const breakConnections = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    http,
    breakConnections,
    freezeConnections() {
      http.closeIdleConnections();
      for (const socket of sockets) socket.pause();
    },
    async [Symbol.asyncDispose]() {
      await matchMaker.gracefullyShutdown();
      http.close();
      breakConnections();
    },
  };
}

export interface Said {
  to: "host" | "guest";
  type: string;
  message: Record<string, unknown>;
}

/** What a lobby could do with what it relays. */
export class EvilRoom extends RendezvousRoom {
  /** All that went through, in order. */
  static said: Said[] = [];
  /** What is sent instead; undefined for nothing. */
  static instead: (said: Said) => Said["message"] | Said["message"][] | undefined = ({ message }) => message;

  override async onJoin(client: Client, options: Record<string, unknown>): Promise<void> {
    const to = options["role"] === "host" ? "host" : "guest";
    const send = client.send.bind(client) as (type: string, message: unknown) => void;
    client.send = ((type: string, message: Record<string, unknown>): void => {
      const said = { to, type, message } as const;
      EvilRoom.said.push(said);
      for (const each of [EvilRoom.instead(said) ?? []].flat()) send(type, each);
    }) as Client["send"];
    await super.onJoin(client, options);
  }
}
