import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from "node:http";
import {
  type AuthContext,
  type BeforeUpgradeHandler,
  createAuthContext,
  debugAndPrintError,
  ErrorCode,
  logger,
  matchMaker,
  runBeforeUpgrade,
} from "@colyseus/core";
import type { TransportOptions } from "@colyseus/ws-transport";
import { describeMismatch, describeServer, VersionNotices } from "../../../session/versions.ts";
import { STATUS_OTHER_PROTOCOL } from "../../wire/connect-request.ts";
import type { Seat } from "../../wire/seat.ts";
import { INSTANCE } from "../admission/instance.ts";
import { localRoom } from "../admission/local-room.ts";
import type { RefusalLimiter } from "../admission/refusal-limiter.ts";
import type { Upgrades } from "../admission/upgrades.ts";
import { filterRequests } from "./http.ts";
import { introducedPlayer } from "./introduced.ts";
import { asksFor, type ParsedConnectRequest, parseObject, readBody } from "./parse-connect-request.ts";

type VerifyClient = NonNullable<TransportOptions["verifyClient"]>;
type VerifyInfo = Parameters<Extract<VerifyClient, (...parameters: never[]) => void>>[0];

/** What all seat endpoints have in common. */
export interface SeatGuard {
  /** Colyseus' options, which guard these endpoints as they guard the WebSocket. */
  verifyClient?: VerifyClient | undefined;
  beforeUpgrade?: BeforeUpgradeHandler | undefined;
  onRefused?: (address: string, status: number, reason: string) => void;
  /** Players on a WebSocket who may have a session beside it. */
  upgrades: Upgrades;
  /** Shared, so that a caller who guesses seats is slowed down at every endpoint. */
  limiter: RefusalLimiter;
}

/** What a player with a seat can ask for over HTTP, and gets: a way to connect. */
export interface SeatEndpoint<Request extends ParsedConnectRequest> {
  maxRequestBytes: number;
  /** The version of the protocol that this endpoint speaks, and the protocol's name. */
  protocol: number;
  protocolName: string;
  /** @returns null for anything that is not a well-formed request */
  parse(json: object | null): Request | null;
  /** @returns the reply; {@link Busy} where another try may have one; null while the endpoint is not open; a string says why it cannot serve this request */
  issue(
    request: Request,
    context: AuthContext,
    http: IncomingMessage,
  ): object | string | null | Promise<object | string | null>;
}

/** There is no way in just now, for a reason that passes. */
export class Busy {
  readonly reason: string;

  /** @param reason a sentence without its full stop */
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Each endpoint with the path that it answers. */
export type SeatEndpoints<Requests extends ParsedConnectRequest[]> = {
  [Index in keyof Requests]: [path: string, endpoint: SeatEndpoint<Requests[Index]>];
};

/** Answers these paths, behind any prefix, before Colyseus sees them: it has a 404 for what it does not know. */
export function serveSeatEndpoints<Requests extends ParsedConnectRequest[]>(
  server: Server,
  guard: SeatGuard,
  endpoints: SeatEndpoints<Requests>,
): void {
  for (const [path, endpoint] of endpoints) {
    const handler = new SeatRequestHandler(guard, endpoint);
    filterRequests(server, (request, response) => {
      if (!response || !asksFor(path, request)) return false;
      void handler.handle(request, response);
      return true;
    });
  }
}

/** Answers `POST /sallyport/connect` (see wire/connect-request.ts), and its like, for players who hold a seat. */
class SeatRequestHandler<Request extends ParsedConnectRequest> {
  readonly #guard: SeatGuard;
  readonly #limiter: RefusalLimiter;
  readonly #endpoint: SeatEndpoint<Request>;
  readonly #versions: VersionNotices;

  constructor(guard: SeatGuard, endpoint: SeatEndpoint<Request>) {
    this.#guard = guard;
    this.#limiter = guard.limiter;
    this.#endpoint = endpoint;
    this.#versions = new VersionNotices((sentence) => logger.warn(`Sallyport: ${sentence}.`));
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    try {
      // A browser game's page comes from elsewhere: the same permissions as for Colyseus' matchmaking.
      const { controller } = matchMaker;
      const cors = { ...controller.DEFAULT_CORS_HEADERS, ...controller.getCorsHeaders(headersOf(request)) };
      for (const [name, value] of Object.entries(cors)) response.setHeader(name, value);
      if (request.method === "OPTIONS") response.writeHead(204).end();
      else await this.#answer(request, response);
    } catch (error) {
      debugAndPrintError(error as Error);
      fail(response, 500, ErrorCode.APPLICATION_ERROR, "The way in could not be made.");
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const context = contextOf(request);
    const address = introducedPlayer(request) ?? context.ip ?? "";
    const refuse = (status: number, code: number, error: string): void => {
      this.#limiter.refused(address, performance.now());
      this.#guard.onRefused?.(address, status, error);
      fail(response, status, code, error);
    };
    if (request.method !== "POST") return refuse(405, 405, "Use POST.");
    if (this.#limiter.isBlocked(address, performance.now())) {
      response.setHeader("Retry-After", "10");
      this.#guard.onRefused?.(address, 429, "too many requests without a seat");
      return fail(response, 429, 429, "Too many requests without a seat: wait ten seconds.");
    }
    const body = await readBody(request, this.#endpoint.maxRequestBytes);
    if (body === null) {
      response.setHeader("Connection", "close");
      return refuse(413, 413, "The request is too long.");
    }
    const parsed = this.#endpoint.parse(parseObject(body));
    if (parsed === null) return refuse(400, ErrorCode.MATCHMAKE_UNHANDLED, "The request is malformed.");

    if (!(await this.#isAdmitted(request, response, context))) {
      this.#guard.onRefused?.(address, response.statusCode, "refused by verifyClient or beforeUpgrade");
      return;
    }

    if (!hasSeat(parsed.seat)) {
      const upgrade = this.#guard.upgrades.ask(parsed.seat, performance.now());
      if (upgrade === "early") return fail(response, 503, 503, "This was asked just now: wait a second.");
      if (upgrade === "unknown") return refuse(404, ErrorCode.MATCHMAKE_EXPIRED, "seat reservation expired.");
    }
    if (parsed.protocol !== this.#endpoint.protocol) {
      this.#guard.onRefused?.(address, STATUS_OTHER_PROTOCOL, `protocol ${parsed.protocol}`);
      return this.#tellVersion(parsed.protocol, response);
    }
    const reply = await this.#endpoint.issue(parsed, context, request);
    if (reply === null || reply instanceof Busy) {
      const reason = reply?.reason ?? "UDP is not open here";
      this.#guard.onRefused?.(address, 503, reason);
      return fail(response, 503, 503, `${reason}.`);
    }
    if (typeof reply === "string") return refuse(400, ErrorCode.MATCHMAKE_UNHANDLED, reply);
    writeJSON(response, 200, { ...reply, instance: INSTANCE });
  }

  /** The seat stays good for WebSocket. Nobody is slowed down for it: this is no guess at a seat. */
  #tellVersion(speaks: number, response: ServerResponse): void {
    const { protocol, protocolName } = this.#endpoint;
    this.#versions.tell(speaks, () =>
      describeMismatch(
        protocolName,
        { name: "a player's client", update: "the client, which plays over WebSocket meanwhile", speaks },
        { name: "this server", update: "the server; the client plays over WebSocket meanwhile", speaks: protocol },
      ),
    );
    const error = describeServer(protocolName, protocol, speaks);
    writeJSON(response, STATUS_OTHER_PROTOCOL, { code: STATUS_OTHER_PROTOCOL, error, protocol });
  }

  /** Colyseus' own gatekeepers. Has answered when it is false. */
  async #isAdmitted(request: IncomingMessage, response: ServerResponse, context: AuthContext): Promise<boolean> {
    const { verifyClient, beforeUpgrade } = this.#guard;
    if (verifyClient) {
      const result = await verify(verifyClient, request);
      if (!result.verified) {
        response.writeHead(result.code, result.headers).end(result.message);
        return false;
      }
    }
    const answer = beforeUpgrade && (await runBeforeUpgrade(beforeUpgrade, request.url ?? "/", context));
    if (!answer) return true;
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
    return false;
  }
}

function hasSeat({ roomId, sessionId, reconnectionToken, upgrade }: Seat): boolean {
  const room = upgrade === undefined ? localRoom(roomId) : undefined;
  return room?.hasReservedSeat(sessionId, reconnectionToken === "" ? undefined : reconnectionToken) === true;
}

interface VerifyResult {
  verified: boolean;
  code: number;
  message?: string | undefined;
  headers?: OutgoingHttpHeaders | undefined;
}

/** `ws` takes a function of one argument that answers, or of two that calls back. */
function verify(verifyClient: VerifyClient, request: IncomingMessage): Promise<VerifyResult> {
  const info: VerifyInfo = {
    origin: request.headers.origin ?? "",
    secure: "encrypted" in request.socket,
    req: request,
  };
  return new Promise((resolve) => {
    if (verifyClient.length >= 2) {
      verifyClient(info, (verified, code = 401, message, headers) => resolve({ verified, code, message, headers }));
    } else {
      resolve({ verified: (verifyClient as (info: VerifyInfo) => boolean)(info), code: 401 });
    }
  });
}

function contextOf({ headers, socket: { remoteAddress } }: IncomingMessage): AuthContext {
  return createAuthContext({
    headers: headers as Record<string, string | undefined>,
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
  });
}

/** A request's headers, as Colyseus wants them. */
export function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // Pseudo headers of HTTP/2 are no headers to Headers.
    if (value !== undefined && !name.startsWith(":")) headers.set(name, String(value));
  }
  return headers;
}

function fail(response: ServerResponse, status: number, code: number, error: string): void {
  if (response.headersSent) response.destroy();
  else writeJSON(response, status, { code, error });
}

function writeJSON(response: ServerResponse, status: number, body: unknown): void {
  const json = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": json.length }).end(json);
}
