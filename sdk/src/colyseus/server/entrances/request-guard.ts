import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { normalizeAddress } from "../../../net/endpoint.ts";
import { isNoRoomId } from "../admission/local-room.ts";
import { diagnose } from "../observability/diagnostics.ts";
import { clientNamedByProxy, isFromProxy, rememberNamed } from "./client-address.ts";
import { filterRequests } from "./http.ts";
import { readIntroduced } from "./introduced.ts";
import { matchmakingMethod } from "./matchmaking-url.ts";

/** Options of `guardRequests`. */
export interface RequestGuardOptions {
  /**
   * True where a reverse proxy of yours stands in front and says who is asking: `x-forwarded-for`, else `forwarded` (RFC 7239), else
   * `x-real-ip`; and `x-forwarded-proto`. It is believed on this machine and on private addresses only, and of a chain its last hop
   * counts, which the proxy itself wrote. Everybody else's headers are replaced by what the socket knows. Default false.
   */
  trustProxy?: boolean;
  /** Largest body of a matchmaking request, bytes: the options of a join. Default 16 384. */
  maxMatchmakingBytes?: number;
  /** Called for each request that was refused. */
  onRefused?: (request: IncomingMessage, status: number) => void;
}

const DEFAULT_MAX_MATCHMAKING_BYTES = 16_384;
/** A name or an IP address, with or without a port. Whether the numbers in it make sense, `URL` knows. */
const HOST: RegExp = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;
const ADDRESS_HEADERS = ["x-forwarded-for", "x-client-ip", "forwarded"] as const;

/**
 * Stands before every request of a Colyseus server and turns away those that would hurt it (Colyseus 0.18): it makes a URL of the
 * Host header, of `x-forwarded-proto` and of the path, and a fetch `Request` of the method, and what these throw ends the process;
 * it reads matchmaking bodies of any length; it takes `__proto__` for a room; it believes anybody who says for whom they ask. `SallyportTransport` guards its server
 * itself; this is for servers with another transport. Call it before or after `listen()`.
 */
export function guardRequests(server: Server, options: RequestGuardOptions = {}): void {
  const { trustProxy = false, maxMatchmakingBytes = DEFAULT_MAX_MATCHMAKING_BYTES } = options;
  filterRequests(server, (request, response) => {
    readIntroduced(request);
    stampAddress(request, trustProxy && isFromProxy(request));
    const status = refusalOf(request, maxMatchmakingBytes, response === undefined);
    if (status === undefined) return false;
    options.onRefused?.(request, status);
    diagnose("sallyport:request:refused", () => {
      return { address: request.socket.remoteAddress ?? "", status, url: request.url ?? "" };
    });
    if (response) response.writeHead(status, { connection: "close" }).end();
    else refuseUpgrade(request.socket, status);
    return true;
  });
}

/** Node has let go of the socket by now: an error of a caller who has gone already would be nobody's, and end the process. */
function refuseUpgrade(socket: Socket, status: number): void {
  socket.on("error", () => socket.destroy());
  const answer = `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(answer, () => socket.destroy());
}

/** Colyseus asks the headers first, `x-real-ip` before all others, and in matchmaking nothing but them. */
function stampAddress(request: IncomingMessage, isProxy: boolean): void {
  const { headers, socket } = request;
  const named = isProxy ? clientNamedByProxy(request) : undefined;
  rememberNamed(request, named);
  if (!isProxy) {
    for (const name of ADDRESS_HEADERS) delete headers[name];
    delete headers["x-forwarded-proto"];
  }
  headers["x-real-ip"] = named ?? normalizeAddress(socket.remoteAddress ?? "");
}

function refusalOf(request: IncomingMessage, maxMatchmakingBytes: number, isUpgrade: boolean): number | undefined {
  const { headers, method, url = "" } = request;
  const { host } = headers;
  // HTTP/1.0 has none; Node itself asks for one in 1.1.
  if (host !== undefined && !(HOST.test(host) && URL.canParse(`http://${host}/`))) return 400;
  if (!url.startsWith("/")) return 400;
  // Of several proxies the first has met the client.
  const [protocol] = String(headers["x-forwarded-proto"] ?? "http").split(",", 1);
  if (protocol !== "http" && protocol !== "https") return 400;
  if (headers["x-forwarded-proto"] !== undefined) headers["x-forwarded-proto"] = protocol;
  // fetch's Request refuses it.
  if (method === "TRACE") return 405;
  if (isUpgrade && isNoRoomId(lastSegment(url))) return 404;
  if (!isMatchmaking(url)) return undefined;
  // A body without a length could be of any.
  if (headers["transfer-encoding"] !== undefined) return 411;
  return Number(headers["content-length"] ?? 0) > maxMatchmakingBytes ? 413 : undefined;
}

/** Where a WebSocket's URL names its room, as Colyseus reads it. */
function lastSegment(url: string): string {
  return URL.parse(`ws://server${url}`)?.pathname.split("/").at(-1) ?? "";
}

function isMatchmaking(url: string): boolean {
  return matchmakingMethod(url) !== undefined;
}
