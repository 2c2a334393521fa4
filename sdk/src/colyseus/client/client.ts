import type { EndpointSettings } from "@colyseus/sdk";
import { nat64 } from "../../net/nat64.ts";
import { connectSession as connectUDP } from "../../session/connect.ts";
import { type DiscoverOptions, discoverEachGame, discoverGames, type FoundGame } from "./found-game.ts";
import { askInstanceThrough } from "./instance-reply.ts";
import type { AskInstance } from "./instance-request.ts";
import { InviteTunnel } from "./invite-tunnel.ts";
import { Nearby } from "./nearby.ts";
import {
  fastest,
  INVITED_TIMEOUT_MS,
  type InviteSettings,
  type LatencyOptions,
  NO_ENDPOINT,
  SessionClient,
  type SessionClientOptions,
} from "./session-client.ts";
import type { Pace, SessionWay } from "./session-way.ts";
import { type RequestToken, requestTokenThrough } from "./token-request.ts";
import type { ServerTypes, Untyped } from "./types.ts";
import { type ConnectSession, udpWay } from "./udp-attempt.ts";

export interface SallyportClientOptions extends SessionClientOptions {
  /** False: WebSocket only. Default true. */
  udp?: boolean;
  /** How long the server may stay silent over UDP before WebSocket has its turn, ms. Default 2500. */
  udpTimeoutMs?: number;
  /**
   * False: when a public `http:` address does not answer, the local network is not asked whether its host is there, as it is where a
   * player types the address of the own house and the router does not hairpin. Default true; without effect where there is `fetchFn`.
   */
  lan?: boolean;
  /** Opens a session with a connect token. Default: over a UDP socket of its own. */
  connectSession?: ConnectSession;
  /** Gets a connect token for a seat. Default: `POST /sallyport/connect` at the seat's address. */
  requestToken?: RequestToken;
  /** Finds out whether the server was started again. Default: `GET /sallyport/instance` at the seat's address. */
  askInstance?: AskInstance;
  /** @internal How often UDP is tried beside a WebSocket. */
  pace?: Pace;
}

/** Options of `SallyportClient.fromInvite`. */
export interface InviteOptions extends SallyportClientOptions, InviteSettings {}

const DEFAULT_UDP_TIMEOUT_MS = 2500;
/** Each try goes through other people's mailboxes. */
const INVITED_PACE: Pace = { everyMs: 15_000, maxEveryMs: 60_000 };

/**
 * Colyseus' own client, whose rooms go over UDP: to a server with SallyportTransport if UDP gets through, else, and to any other
 * Colyseus server, over WebSocket as ever.
 */
export class SallyportClient<Types extends ServerTypes = Untyped, UserData = Untyped> extends SessionClient<
  Types,
  UserData
> {
  /** @internal */
  readonly nearby: Nearby | undefined;
  /** @internal */
  protected override readonly way: SessionWay;

  /** @param settings as Colyseus' client: `http://host:port`, `ws://…`, or an object. */
  constructor(settings?: string | EndpointSettings, options: SallyportClientOptions = {}) {
    const { lan = true, fetchFn } = options;
    const fetch: typeof globalThis.fetch = (input, init) => this.#fetchThroughNAT64(input, init);
    const nearby = lan && !fetchFn ? new Nearby({ fetch }) : undefined;
    super(settings, { ...options, fetchFn: fetchFn ?? nearby?.fetch ?? fetch });
    this.nearby = nearby;
    if (nearby) nearby.onMove = ({ address: hostname, port }) => Object.assign(this.settings, { hostname, port });
    const { udp: enabled = true, udpTimeoutMs: timeoutMs = DEFAULT_UDP_TIMEOUT_MS, limits } = options;
    const { connectSession = connectUDP, requestToken, askInstance, pace } = options;
    this.way = udpWay({ enabled, timeoutMs, limits, connectSession, requestToken, askInstance, pace });
  }

  /**
   * The games on the local network, without lobby or internet: those whose hosts have answered within `timeoutMs` (2000). For Node and
   * Electron; a browser may not look around.
   *
   *     const [game] = await SallyportClient.discover();
   *     if (game) room = await new SallyportClient(game.url).joinOrCreate("arena");
   */
  static discover(options?: DiscoverOptions): Promise<FoundGame[]> {
    return discoverGames(options);
  }

  /**
   * The same, each as it is found, and again when it has changed: `for await (const game of SallyportClient.discoverEach())`. Leaving
   * the loop ends the search; `timeoutMs: Infinity` watches until then.
   */
  static discoverEach(options?: DiscoverOptions): AsyncGenerator<FoundGame> {
    return discoverEachGame(options);
  }

  /**
   * The server that answers soonest, of several: a client of this kind for it.
   * @throws Error where none answers
   */
  static override async selectByLatency<Types extends ServerTypes = Untyped, UserData = Untyped>(
    endpoints: (string | EndpointSettings)[],
    options?: SallyportClientOptions,
    latencyOptions?: LatencyOptions,
  ): Promise<SallyportClient<Types, UserData>> {
    const clients = endpoints.map((endpoint) => new SallyportClient<Types, UserData>(endpoint, options));
    return await fastest(clients, latencyOptions);
  }

  /**
   * A client of the host that gave this invite, wherever it is: matchmaking goes through the lobby or public relays, sealed, and rooms
   * over the best path that both sides find (direct, punched, relayed).
   * @param invite `K7Q2-9FXM` with `lobby`, `K7Q2-9FXM-T3PD`, or the whole link, with which not even the lobby can listen
   * @throws RendezvousError whose `code` says why: `unknown-invite`, `no-lobby`, `unreachable`, `forged`, …
   */
  static async fromInvite<Types extends ServerTypes = Untyped, UserData = Untyped>(
    invite: string,
    { lobby, relays, stunServers, signal, timeoutMs, ...options }: InviteOptions = {},
  ): Promise<SallyportClient<Types, UserData>> {
    const { tunnel, endpoints } = await InviteTunnel.open(invite, {
      lobby,
      relays,
      stunServers,
      signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
      locate: (url) => nat64.locate(url),
    });
    return new SallyportClient<Types, UserData>(endpoints[0] ?? NO_ENDPOINT, {
      udpTimeoutMs: INVITED_TIMEOUT_MS,
      fetchFn: tunnel.fetch,
      connectSession: tunnel.connectSession,
      requestToken: requestTokenThrough(tunnel.fetch),
      askInstance: askInstanceThrough(tunnel.fetch),
      pace: INVITED_PACE,
      ...options,
    });
  }

  /** On a network without IPv4, an IPv4 address stands for another one from the first request on. */
  async #fetchThroughNAT64(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    if (input instanceof Request) return await globalThis.fetch(input, init);
    const asked = new URL(input);
    const located = new URL(await nat64.locate(asked.href));
    const { hostname } = located;
    if (hostname !== asked.hostname && this.settings.hostname === asked.hostname) {
      Object.assign(this.settings, { hostname });
    }
    return await globalThis.fetch(located, init);
  }

  protected override detour(): string {
    return this.nearby?.explain(this.settings.hostname) ?? "";
  }
}
