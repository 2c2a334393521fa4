import type { EndpointSettings } from "@colyseus/sdk";
import { connectSession as connectUDP } from "../session/index.ts";
import { Passage } from "./passage.ts";
import { INVITED_TIMEOUT_MS, NO_ENDPOINT, SessionClient, type SessionClientOptions } from "./session-client.ts";
import { type RequestToken, requestTokenThrough } from "./token-request.ts";
import type { SessionWay } from "./transport.ts";
import type { ServerTypes, Untyped } from "./types.ts";
import { type ConnectSession, udpWay } from "./udp-attempt.ts";

export interface SallyportClientOptions extends SessionClientOptions {
  /** False: WebSocket only. Default true. */
  udp?: boolean;
  /** How long the server may stay silent over UDP before WebSocket has its turn, ms. Default 2500. */
  udpTimeoutMs?: number;
  /** Opens a session with a connect token. Default: over a UDP socket of its own. */
  connectSession?: ConnectSession;
  /** Gets a connect token for a seat. Default: `POST /sallyport/connect` at the seat's address. */
  requestToken?: RequestToken;
}

export interface InviteOptions extends SallyportClientOptions {
  /** The lobby's URL, where the invite is a bare code. */
  lobby?: string;
  /** Ends the search for the host. */
  signal?: AbortSignal;
  /** Until the host has answered through the lobby, ms. Default 10 000. */
  timeoutMs?: number;
}

const DEFAULT_UDP_TIMEOUT_MS = 2500;
/**
 * Colyseus' own client, whose rooms go over UDP: to a server with SallyportTransport if UDP gets through, else, and to any other
 * Colyseus server, over WebSocket as ever.
 */
export class SallyportClient<Types extends ServerTypes = Untyped, UserData = Untyped> extends SessionClient<
  Types,
  UserData
> {
  /** @internal */
  protected override readonly way: SessionWay;

  /** @param settings as Colyseus' client: `http://host:port`, `ws://…`, or an object. */
  constructor(settings?: string | EndpointSettings, options: SallyportClientOptions = {}) {
    super(settings, options);
    const { udp = true, udpTimeoutMs = DEFAULT_UDP_TIMEOUT_MS, connectSession = connectUDP, requestToken } = options;
    this.way = udpWay({ enabled: udp, timeoutMs: udpTimeoutMs, connectSession, requestToken });
  }

  /**
   * A client of the host that gave this invite, wherever it is: matchmaking goes through the lobby, sealed, and rooms over the best
   * path that both sides find (direct, punched, relayed).
   * @param invite `K7Q2-9FXM` with `lobby`, or the whole link, with which not even the lobby can listen
   * @throws RendezvousError whose `code` says why: `unknown-invite`, `no-lobby`, `unreachable`, `forged`, …
   */
  static async fromInvite<Types extends ServerTypes = Untyped, UserData = Untyped>(
    invite: string,
    { lobby, signal, timeoutMs, ...options }: InviteOptions = {},
  ): Promise<SallyportClient<Types, UserData>> {
    const { passage, endpoints } = await Passage.open(invite, {
      ...(lobby !== undefined && { lobby }),
      ...(signal && { signal }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    return new SallyportClient<Types, UserData>(endpoints[0] ?? NO_ENDPOINT, {
      udpTimeoutMs: INVITED_TIMEOUT_MS,
      fetchFn: passage.fetch,
      connectSession: passage.connectSession,
      requestToken: requestTokenThrough(passage.fetch),
      ...options,
    });
  }
}
