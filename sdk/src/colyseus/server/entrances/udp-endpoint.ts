import { randomBytes } from "node:crypto";
import { type AuthContext, CloseCode, createAuthContext } from "@colyseus/core";
import { type Endpoint, uniqueEndpoints } from "../../../net/endpoint.ts";
import type { Session, SessionServer } from "../../../session/types.ts";
import {
  CONNECT_PROTOCOL,
  CONNECT_PROTOCOL_NAME,
  type ConnectEndpoint,
  type ConnectReply,
  MAX_CONNECT_REQUEST_BYTES,
} from "../../wire/connect-request.ts";
import type { RelayingTerms } from "../../wire/relaying.ts";
import { decodeSeat, encodeSeat, type Seat } from "../../wire/seat.ts";
import type { Caller } from "../admission/caller.ts";
import { waitFor } from "../admission/refusal.ts";
import { diagnose } from "../observability/diagnostics.ts";
import { type ParsedConnectRequest, parseConnectRequest } from "./parse-connect-request.ts";
import { PendingSeats } from "./pending-seats.ts";
import { type Asked, type SeatEndpoint, Wait } from "./seat-endpoint.ts";

/** netcode's limit is 32; each address that leads nowhere costs a joining client time. */
const MAX_ENDPOINTS = 8;
const TOKEN_LIFETIME_SECONDS = 30;

export interface UDPEndpointOptions {
  /** How long a silent player is waited for; negative = for ever (netcode). */
  timeoutSeconds: number;
  /** Where the game's socket can be reached, best first. */
  endpoints: () => readonly ConnectEndpoint[];
  /** The game's UDP port where that is known: bound here, and outside, if that is announced. */
  ports?: () => { bound: number | undefined; announced: number | undefined };
  /** What players are told of relays; undefined where none are used. */
  relaying?: (() => RelayingTerms | undefined) | undefined;
  /** Connect tokens for one seat at once. */
  tokensPerSeat: number;
  /** A player has come in with a token; `caller`, if any, had asked for it. */
  onSession: (session: Session, seat: Seat, context: AuthContext, caller: Caller | undefined) => void;
}

/** `POST /sallyport/connect` (see wire/connect-request.ts): gives connect tokens, and takes the sessions that come of them. */
export class UDPEndpoint implements SeatEndpoint<ParsedConnectRequest> {
  readonly maxRequestBytes: number = MAX_CONNECT_REQUEST_BYTES;
  readonly protocol: number = CONNECT_PROTOCOL;
  readonly protocolName: string = CONNECT_PROTOCOL_NAME;
  readonly parse: typeof parseConnectRequest = parseConnectRequest;
  readonly #options: UDPEndpointOptions;
  readonly #pending: PendingSeats;
  #sessions: SessionServer | undefined;
  #granted = 0;

  constructor(options: UDPEndpointOptions) {
    this.#options = options;
    const { tokensPerSeat } = options;
    this.#pending = new PendingSeats({ lifetimeMs: TOKEN_LIFETIME_SECONDS * 1000, tokensPerSeat });
  }

  /** Connect tokens given since the start. */
  get granted(): number {
    return this.#granted;
  }

  /** Gives tokens for `sessions` from now on, and closes them with {@link UDPEndpoint.close}. */
  open(sessions: SessionServer): void {
    this.#sessions = sessions;
    sessions.onSession = (session) => this.#accept(session);
  }

  issue(
    { seat, dialed }: ParsedConnectRequest,
    asked: Pick<Asked, "context" | "caller">,
  ): ConnectReply | Wait | string | null {
    const endpoints = uniqueEndpoints<ConnectEndpoint>([
      ...dialed.flatMap((endpoint) => this.#behind(endpoint)),
      ...this.#options.endpoints(),
    ]).slice(0, MAX_ENDPOINTS);
    if (!this.#sessions || endpoints.length === 0) return null;
    const userData = encodeSeat(seat);
    if (!userData) return "The names of room and session are too long for a connect token (256 bytes).";
    const { context, caller } = asked;
    // Who is in the room already was let in by another request, and is slowed down by its key.
    const pending =
      seat.upgrade === undefined
        ? this.#pending.add(seat, { context, caller }, performance.now())
        : { clientId: randomBytes(8).readBigUInt64LE() };
    if (typeof pending === "number") return new Wait(waitFor(429, "Too many tokens for this seat", pending));
    const token = this.#sessions.createToken({
      clientId: pending.clientId,
      addresses: endpoints.map(({ address, port }) => ({ address, port })),
      userData,
      expireSeconds: TOKEN_LIFETIME_SECONDS,
      timeoutSeconds: this.#options.timeoutSeconds,
    });
    this.#granted++;
    const { roomId, sessionId } = seat;
    diagnose("sallyport:connect:granted", () => ({ roomId, sessionId, address: context.ip ?? "" }));
    const relaying = this.#options.relaying?.();
    const told = relaying === undefined ? {} : { relaying };
    return { protocol: CONNECT_PROTOCOL, token: Buffer.from(token).toString("base64"), endpoints, ...told };
  }

  async close(): Promise<void> {
    await this.#sessions?.close();
  }

  /**
   * Where UDP may lead here, by the address and TCP port that a client has dialed: the same port, or, behind a reverse proxy or with
   * ports forwarded one by one, the game's own. The client tries both, and only it is sent there.
   */
  #behind({ address, port }: Endpoint): ConnectEndpoint[] {
    const { bound = port, announced } = this.#options.ports?.() ?? {};
    const ports = announced === undefined ? [port, bound] : [announced, port];
    return ports.map((each) => ({ kind: "dialed", address, port: each }));
  }

  #accept(session: Session): void {
    const seat = decodeSeat(session.userData);
    if (!seat) {
      session.close(CloseCode.WITH_ERROR, "not a Sallyport seat");
      return;
    }
    const pending = this.#pending.take(session.clientId, performance.now());
    const context = pending?.context ?? createAuthContext({ headers: {}, remoteAddress: session.remote.address });
    this.#options.onSession(session, seat, context, pending?.caller);
  }
}
