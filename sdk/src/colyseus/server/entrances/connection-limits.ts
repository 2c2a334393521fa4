import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { Client } from "@colyseus/core";
import type { WebSocketClient, WebSocketTransport } from "@colyseus/ws-transport";
import { type ConnectionState, ConnectionTable, type TableConnection } from "../../../net/connection-table.ts";
import { normalizeAddress } from "../../../net/endpoint.ts";
import { type ConnectionLimits, completeConnectionLimits } from "../admission/connection-limits.ts";
import { localRoom } from "../admission/local-room.ts";
import { playerRef } from "../admission/player-sockets.ts";
import { type ConnectionRefusal, diagnose } from "../observability/diagnostics.ts";
import { callerOf } from "./client-address.ts";
import { filterRequests } from "./http.ts";

/** Options of `limitConnections`. */
export interface ConnectionLimitsOptions {
  /** How many connections, and how long they may take. Default: see {@link ConnectionLimits}. */
  limits?: ConnectionLimits | undefined;
  /** As of guardRequests: a reverse proxy on a private address is not one caller. Default false. */
  trustProxy?: boolean | undefined;
  /** Whose WebSockets carry players. Without it a WebSocket counts as one that does. */
  webSocket?: WebSocketTransport | undefined;
  /** Called for each connection that was closed, with the address of its other end. */
  onRefused?: ((address: string, reason: ConnectionRefusal) => void) | undefined;
}

type WebSocket = WebSocketClient["ref"];

/** Node's own, which nobody chose. */
const NODE_HEADERS_MS = 60_000;
const NODE_REQUEST_MS = 300_000;
/** How often Node looks for requests that take too long; its own 30 s cannot be changed once a server is made. */
const CHECK_MS = 5000;
/** How long a connection may take to ask for something before it has to give way, as long as there are descriptors. */
const GRACE_MS = 1000;
/** How often is looked who has a seat, ms. */
const LOOK_MS = 1000;
/** `readyState` of a WebSocket. */
const OPEN = 1;

class Connection implements TableConnection {
  readonly socket: Socket;
  readonly address: string;
  since: number;
  /** The request that is coming in or is being answered. */
  request: IncomingMessage | undefined;
  /** It is a WebSocket: of one that is ours, or of one that nothing is known of. */
  upgraded: "ours" | "unknown" | undefined;
  webSocket: WebSocket | undefined;
  #wasSeated = false;

  constructor(socket: Socket, address: string, now: number) {
    this.socket = socket;
    this.address = address;
    this.since = now;
  }

  get state(): ConnectionState {
    if (this.upgraded === "unknown") return "seated";
    if (this.upgraded === "ours") return this.#isSeated ? "seated" : "waiting";
    return this.request?.complete ? "served" : "waiting";
  }

  /** Its player is among the room's clients, and has not been sent away since. */
  get #isSeated(): boolean {
    const { webSocket, request } = this;
    if (webSocket?.readyState !== OPEN) return false;
    this.#wasSeated ||= request !== undefined && clientOf(request)?.ref === playerRef(webSocket);
    return this.#wasSeated;
  }
}

/**
 * A server whose connections can be limited in full: one that was made otherwise looks for slow requests every 30 s only.
 * @param tls certificate and key, for a server that speaks TLS itself
 */
export function createLimitedServer(limits?: ConnectionLimits, tls?: SecureContextOptions): Server {
  const { headersTimeoutMs: headersTimeout, requestTimeoutMs } = completeConnectionLimits(limits);
  const requestTimeout = Math.max(headersTimeout, requestTimeoutMs);
  const options = { headersTimeout, requestTimeout, connectionsCheckingInterval: CHECK_MS };
  return tls === undefined ? createServer(options) : createSecureServer({ ...options, ...tls });
}

/**
 * Bounds what idle TCP connections cost: how many there are, in all and of each address, and how long they may take to ask for
 * something. A connection that carries a player in a room is never closed; of the others the oldest gives way to a new one, of the
 * address that holds most. What is closed is told on `sallyport:connection:refused`.
 *
 * `SallyportTransport` limits its server itself; this is for servers with another transport. What the server's maker chose is kept:
 * `maxConnections`, and `headersTimeout` and `requestTimeout` where they differ from Node's own 60 and 300 s.
 * @throws RangeError for a limit below 1
 */
export function limitConnections(server: Server, options: ConnectionLimitsOptions = {}): void {
  const { webSocket } = options;
  const limits = completeConnectionLimits(options.limits);
  if (server.headersTimeout === NODE_HEADERS_MS) server.headersTimeout = limits.headersTimeoutMs;
  if (server.requestTimeout === NODE_REQUEST_MS) server.requestTimeout = limits.requestTimeoutMs;
  // Room for the one that comes, until another has given way to it.
  server.maxConnections ??= limits.tcpConnections + 1;
  const total = Math.min(limits.tcpConnections, Math.max(1, server.maxConnections - 1));

  const connections = new Connections({ ...limits, tcpConnections: total }, options);
  server.on("connection", (socket: Socket) => connections.add(socket));
  filterRequests(server, (request, response) => {
    connections.onRequest(request, response);
    return false;
  });
  webSocket?.["wss"].on("connection", (socket: WebSocket, request: IncomingMessage) => {
    connections.onWebSocket(socket, request);
  });

  let timer: NodeJS.Timeout | undefined;
  server.on("listening", () => {
    clearInterval(timer);
    timer = setInterval(() => connections.shed(), LOOK_MS).unref();
  });
  server.on("close", () => clearInterval(timer));
}

/** The TCP connections of one server. */
class Connections {
  readonly #limits: Required<ConnectionLimits>;
  readonly #options: ConnectionLimitsOptions;
  readonly #byKey = new Map<string, Connection>();
  readonly #table: ConnectionTable<Connection>;

  constructor(limits: Required<ConnectionLimits>, options: ConnectionLimitsOptions) {
    this.#limits = limits;
    this.#options = options;
    this.#table = new ConnectionTable<Connection>({
      total: limits.tcpConnections,
      unseated: limits.tcpConnectionsUnseated,
      graceMs: GRACE_MS,
      perCaller: limits.tcpConnectionsPerAddress,
      stateOf: (connection) => connection.state,
    });
  }

  add(socket: Socket): void {
    const address = normalizeAddress(socket.remoteAddress ?? "");
    const connection = new Connection(socket, address, performance.now());
    const key = keyOf(socket);
    this.#byKey.set(key, connection);
    socket.once("close", () => {
      if (this.#byKey.get(key) === connection) this.#byKey.delete(key);
      this.#table.remove(connection);
    });
    const gone = this.#table.add(connection, callerOf(socket, this.#options.trustProxy ?? false));
    if (gone) this.#refuse(gone.connection, gone.reason);
  }

  /** @param response none for a WebSocket's upgrade */
  onRequest(request: IncomingMessage, response: ServerResponse | undefined): void {
    const connection = this.#byKey.get(keyOf(request.socket));
    if (connection === undefined) return;
    connection.since = performance.now();
    connection.request = request;
    if (response) whenAnswered(response, connection);
    else connection.upgraded = this.#options.webSocket ? "ours" : "unknown";
  }

  onWebSocket(socket: WebSocket, request: IncomingMessage): void {
    const connection = this.#byKey.get(keyOf(request.socket));
    if (connection) connection.webSocket = socket;
  }

  /** Closes what is beyond the limits, and WebSockets that took no seat in time. */
  shed(): void {
    const now = performance.now();
    this.#table.settle();
    for (const { connection, reason } of this.#table.shed(now)) this.#refuse(connection, reason);
    const latest = now - this.#limits.seatTimeoutMs;
    for (const connection of this.#byKey.values()) {
      if (connection.upgraded && connection.since < latest && connection.state === "waiting") {
        this.#table.remove(connection);
        this.#refuse(connection, "no-seat");
      }
    }
  }

  #refuse({ socket, address }: Connection, reason: ConnectionRefusal): void {
    socket.destroy();
    this.#options.onRefused?.(address, reason);
    diagnose("sallyport:connection:refused", () => ({ address, reason }));
  }
}

/** Until the next request comes over it, the connection is idle again. */
function whenAnswered(response: ServerResponse, connection: Connection): void {
  response.once("close", () => {
    if (connection.request !== response.req) return;
    connection.request = undefined;
    connection.since = performance.now();
  });
}

/** The same for a TLS socket as for the socket below it, of which alone `connection` tells. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** The client in the room that a WebSocket's URL names, `/processId/roomId?sessionId=…`. */
function clientOf({ url = "" }: IncomingMessage): Client | undefined {
  const parsed = URL.parse(`ws://server${url}`);
  const roomId = /\/[\w-]+\/([\w-]+)$/.exec(parsed?.pathname ?? "")?.[1] ?? "";
  return localRoom(roomId)?.clients.get(parsed?.searchParams.get("sessionId") ?? "");
}
