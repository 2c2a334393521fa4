/** What stands before every request: who is really asking, and nothing that would hurt those behind. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Matchmaking requests are a few hundred bytes; a list of 32 endpoints makes 4 KiB. */
const MAX_BODY = 16 * 1024;
const HOST: RegExp = /^[a-zA-Z0-9._-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/;

/**
 * Colyseus believes `x-real-ip` and `x-forwarded-for` of anybody, and the rate limits of the lobby go by them: unless a
 * proxy of ours sets them (`trustProxy`), the socket's own address takes their place. It also makes a URL of the Host
 * header without catching what that throws, and reads bodies of any length.
 *
 * Colyseus puts its listener in front of all others, so that only before the event is one surely first.
 */
export function guardFront(server: Server, { trustProxy }: { trustProxy: boolean }): void {
  const emit = server.emit.bind(server) as (event: string | symbol, ...parameters: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...parameters: unknown[]): boolean => {
    if (event !== "request" && event !== "upgrade") return emit(event, ...parameters);
    const request = parameters[0] as IncomingMessage;
    if (!trustProxy) stampAddress(request);
    const status = refusalOf(request);
    if (status === undefined) return emit(event, ...parameters);
    if (event === "request") {
      const response = parameters[1] as ServerResponse;
      response.writeHead(status, { connection: "close" }).end();
    } else {
      request.socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`);
    }
    return true;
  };
}

function stampAddress({ headers, socket }: IncomingMessage): void {
  delete headers["x-forwarded-for"];
  delete headers["x-client-ip"];
  headers["x-real-ip"] = (socket.remoteAddress ?? "").replace(/^::ffff:(?=.*\.)/, "");
}

function refusalOf({ headers, url }: IncomingMessage): number | undefined {
  if (!HOST.test(headers.host ?? "") || url?.startsWith("/") !== true) return 400;
  // A body without a length could be of any.
  if (headers["transfer-encoding"] !== undefined) return 411;
  if (Number(headers["content-length"] ?? 0) > MAX_BODY) return 413;
  return undefined;
}
