import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from "node:http";
import {
  type AuthContext,
  type BeforeUpgradeHandler,
  createAuthContext,
  debugAndPrintError,
  ErrorCode,
  logger,
  runBeforeUpgrade,
} from "@colyseus/core";
import type { TransportOptions } from "@colyseus/ws-transport";
import { describeMismatch, describeServer, VersionNotices } from "../../../session/versions.ts";
import { STATUS_OTHER_PROTOCOL } from "../../wire/connect-request.ts";
import type { Admission } from "../admission/admission.ts";
import type { Caller } from "../admission/caller.ts";
import { INSTANCE } from "../admission/instance.ts";
import { localRoom } from "../admission/local-room.ts";
import { type Refusal, waitFor } from "../admission/refusal.ts";
import type { Upgrades } from "../admission/upgrades.ts";
import { callerOfRequest } from "./client-address.ts";
import { filterRequests } from "./http.ts";
import { introducedPlayer } from "./introduced.ts";
import { asksFor, type ParsedConnectRequest, parseObject, readBody } from "./parse-connect-request.ts";
import { allowPages, fail, refuse, writeJSON } from "./reply.ts";

type VerifyClient = NonNullable<TransportOptions["verifyClient"]>;
type VerifyInfo = Parameters<Extract<VerifyClient, (...parameters: never[]) => void>>[0];

/** What all seat endpoints have in common. */
export interface SeatGuard {
  /** Colyseus' options, which guard these endpoints as they guard the WebSocket. */
  verifyClient?: VerifyClient | undefined;
  beforeUpgrade?: BeforeUpgradeHandler | undefined;
  onRefused?: (address: string, status: number, reason: string) => void;
  /** Shared by all entrances. */
  admission: Admission;
  trustProxy: boolean;
  /** Players on a WebSocket who may have a session beside it. */
  upgrades: Upgrades;
}

/** Who asks, and by which request. */
export interface Asked {
  context: AuthContext;
  http: IncomingMessage;
  caller: Caller | undefined;
}

/** What a player with a seat can ask for over HTTP, and gets: a way to connect. */
export interface SeatEndpoint<Request extends ParsedConnectRequest> {
  maxRequestBytes: number;
  /** The version of the protocol that this endpoint speaks, and the protocol's name. */
  protocol: number;
  protocolName: string;
  /** @returns null for anything that is not a well-formed request */
  parse(json: object | null): Request | null;
  /** @returns the reply; null while the endpoint is not open; a string says why it cannot serve this request */
  issue(request: Request, asked: Asked): Issued | Promise<Issued>;
}

export type Issued = object | Wait | string | null;

/** The reply to somebody who is to ask again. */
export class Wait {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    this.refusal = refusal;
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
  readonly #endpoint: SeatEndpoint<Request>;
  readonly #versions: VersionNotices;

  constructor(guard: SeatGuard, endpoint: SeatEndpoint<Request>) {
    this.#guard = guard;
    this.#endpoint = endpoint;
    this.#versions = new VersionNotices((sentence) => logger.warn(`Sallyport: ${sentence}.`));
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    try {
      allowPages(request, response);
      if (request.method === "OPTIONS") response.writeHead(204).end();
      else await this.#answer(request, response);
    } catch (error) {
      debugAndPrintError(error as Error);
      fail(response, 500, ErrorCode.APPLICATION_ERROR, "The way in could not be made.");
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const context = contextOf(request);
    const { admission, trustProxy, onRefused } = this.#guard;
    const caller = callerOfRequest(request, trustProxy);
    const address = introducedPlayer(request) ?? context.ip ?? "";
    const refuseAs = (status: number, code: number, error: string): void => {
      onRefused?.(address, status, error);
      fail(response, status, code, error);
    };
    const guessed = (status: number, code: number, error: string): void => {
      admission.requests.guessed(caller, performance.now());
      refuseAs(status, code, error);
    };
    const holdUp = (refusal: Refusal): void => {
      onRefused?.(address, refusal.status, refusal.error);
      refuse(response, refusal);
    };
    if (request.method !== "POST") return guessed(405, 405, "Use POST.");
    const tooMany = admission.requests.take(caller, performance.now());
    if (tooMany) return holdUp(tooMany);
    const body = await readBody(request, this.#endpoint.maxRequestBytes);
    if (body === null) {
      response.setHeader("Connection", "close");
      return guessed(413, 413, "The request is too long.");
    }
    const parsed = this.#endpoint.parse(parseObject(body));
    if (parsed === null) return guessed(400, ErrorCode.MATCHMAKE_UNHANDLED, "The request is malformed.");

    const { roomId, sessionId, reconnectionToken, upgrade } = parsed.seat;
    const hasSeat = (): boolean =>
      upgrade === undefined
        ? (localRoom(roomId)?.hasReservedSeat(sessionId, reconnectionToken === "" ? undefined : reconnectionToken) ??
          false)
        : this.#guard.upgrades.has(parsed.seat);
    // After a restart all players come back for what is gone: that is no guess at a seat.
    const isGuess = reconnectionToken === "" && !hasSeat();
    const guesser = isGuess ? admission.requests.refuseGuess(caller, performance.now()) : undefined;
    if (guesser) return holdUp(guesser);

    if (!(await this.#isAdmitted(request, response, context))) {
      onRefused?.(address, response.statusCode, "refused by verifyClient or beforeUpgrade");
      return;
    }
    if (!hasSeat()) {
      const tell = isGuess ? guessed : refuseAs;
      return tell(404, ErrorCode.MATCHMAKE_EXPIRED, "seat reservation expired.");
    }
    if (parsed.protocol !== this.#endpoint.protocol) {
      this.#guard.onRefused?.(address, STATUS_OTHER_PROTOCOL, `protocol ${parsed.protocol}`);
      return this.#tellVersion(parsed.protocol, response);
    }
    if (upgrade !== undefined && !this.#guard.upgrades.ask(parsed.seat, performance.now())) {
      return holdUp(waitFor(503, "This was asked just now", 1000));
    }
    const reply = await this.#endpoint.issue(parsed, { context, http: request, caller });
    if (reply === null) return refuseAs(503, 503, "This server is not open over UDP yet, or no longer.");
    if (reply instanceof Wait) return holdUp(reply.refusal);
    if (typeof reply === "string") return guessed(400, ErrorCode.MATCHMAKE_UNHANDLED, reply);
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
