import type { EndpointSettings } from "@colyseus/sdk";
import { nat64 } from "../../net/nat64.ts";
import { InviteTunnel } from "../../rendezvous/guest/invite-tunnel.ts";
import { connectSession as connectUDP } from "../../session/connect.ts";
import { type DiscoverOptions, discoverEachGame, discoverGames, type FoundGame } from "./found-game.ts";
import { askInstanceThrough } from "./instance-reply.ts";
import type { AskInstance } from "./instance-request.ts";
import { Nearby } from "./nearby.ts";
import { type RelayForOthers, SessionRelaying, SharedRelay } from "./relaying.ts";
import {
  fastest,
  HIDDEN_NO_WEBSOCKET,
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
import { type ConnectSession, type UDPWayOptions, udpWay } from "./udp-attempt.ts";

/** The relay that an invite's search for a path and the rooms of its client have in common. */
const OWN_RELAY: unique symbol = Symbol("own relay");

function ownRelayOf(options: SallyportClientOptions & { [OWN_RELAY]?: SharedRelay }): SharedRelay | undefined {
  return options[OWN_RELAY] ?? (options.relayForOthers && new SharedRelay(options.relayForOthers));
}

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
  /**
   * Where the internet reaches this computer, by an address of its own or by a port that its router forwards for it, it relays for the
   * other players of the game, as a TURN server: at most so many kbit/s, and so many GB in all. The host has to take it (`relayForOthers`
   * of SallyportTransport). What passes is encrypted; the addresses of those who are relayed are seen here. `onChange` tells when it
   * begins and ends. Default: it relays for nobody.
   */
  relayForOthers?: RelayForOthers;
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
    const { relayOnly = false } = options as InviteOptions;
    if (relayOnly && (!options.connectSession || !enabled))
      throw new RangeError("relayOnly needs an invite and UDP: join with SallyportClient.fromInvite()");
    const noWebSocket = relayOnly ? HIDDEN_NO_WEBSOCKET : undefined;
    const own = relayOnly ? undefined : ownRelayOf(options);
    const besideOf: UDPWayOptions["besideOf"] = (session, terms, taker) =>
      new SessionRelaying(session, terms, taker, own);
    const asked = { connectSession, requestToken, askInstance };
    this.way = udpWay({ enabled, noWebSocket, timeoutMs, limits, besideOf, pace, ...asked });
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
   * @throws RendezvousError whose `code` says why: `unknown-invite`, `no-lobby`, `unreachable`, `forged`, `no-relay`, …
   */
  static async fromInvite<Types extends ServerTypes = Untyped, UserData = Untyped>(
    invite: string,
    { lobby, relays, stunServers, turnServers, signal, timeoutMs, ...options }: InviteOptions = {},
  ): Promise<SallyportClient<Types, UserData>> {
    const { relayOnly = false } = options;
    const ownRelay = relayOnly ? undefined : ownRelayOf(options);
    const { tunnel, endpoints } = await InviteTunnel.open(invite, {
      lobby,
      relays,
      stunServers,
      turnServers,
      relayOnly,
      ownRelay,
      signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
      locate: (url) => nat64.locate(url),
    });
    return new SallyportClient<Types, UserData>((relayOnly ? undefined : endpoints[0]) ?? NO_ENDPOINT, {
      udpTimeoutMs: INVITED_TIMEOUT_MS,
      fetchFn: tunnel.fetch,
      connectSession: tunnel.connectSession,
      requestToken: requestTokenThrough(tunnel.fetch),
      askInstance: askInstanceThrough(tunnel.fetch),
      pace: INVITED_PACE,
      ...options,
      ...(ownRelay && { [OWN_RELAY]: ownRelay }),
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
