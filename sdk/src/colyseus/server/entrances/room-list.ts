import type { IncomingMessage, ServerResponse } from "node:http";
import { debugAndPrintError, matchMaker } from "@colyseus/core";

const MAX_ROOMS = 1000;

/** The room name that a `GET /matchmake/NAME` asks for, empty for all; undefined for any other request. */
export function listedName({ method, url = "" }: IncomingMessage): string | undefined {
  if (method !== "GET") return undefined;
  const [, name] = /\/matchmake\/([\w-]*)(?:\?.*)?$/.exec(url) ?? [];
  return name;
}

/** Answers with the rooms that are open to all, as Colyseus did up to 0.15. */
export async function answerRoomList(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { controller } = matchMaker;
    const origin = new Headers(request.headers.origin === undefined ? {} : { origin: request.headers.origin });
    for (const [key, value] of Object.entries({
      ...controller.DEFAULT_CORS_HEADERS,
      ...controller.getCorsHeaders(origin),
    })) {
      response.setHeader(key, value);
    }
    const open = { locked: false, private: false, unlisted: false };
    const found = await matchMaker.query(name === "" ? open : { ...open, name });
    const rooms = found
      .slice(0, MAX_ROOMS)
      .map(({ roomId, name: roomName, clients, maxClients, metadata, createdAt }) => {
        return { roomId, name: roomName, clients, maxClients, metadata, createdAt };
      });
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(rooms));
  } catch (error) {
    debugAndPrintError(error as Error);
    response.writeHead(500).end();
  }
}
