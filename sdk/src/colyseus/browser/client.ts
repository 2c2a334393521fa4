import type { EndpointSettings } from "@colyseus/sdk";
import { needRelay } from "../../rendezvous/guest/need-relay.ts";
import type { GameSummary, HostDetails } from "../../rendezvous/wire/protocol.ts";
import type { TurnServer } from "../../turn/open.ts";
import {
  fastest,
  INVITED_TIMEOUT_MS,
  type InviteSettings,
  type LatencyOptions,
  NO_ENDPOINT,
  SessionClient,
  type SessionClientOptions,
} from "../client/session-client.ts";
import type { SessionWay } from "../client/session-way.ts";
import type { ServerTypes, Untyped } from "../client/types.ts";
import { obstacleHere } from "./local-network.ts";
import { webRTCDialer } from "./webrtc-dialer.ts";

export interface SallyportBrowserClientOptions extends SessionClientOptions {
  /** False: WebSocket only. Default true. */
  webrtc?: boolean;
  /** How long WebRTC may take, from the offer until its channels are open, before WebSocket has its turn, ms. Default 4000. */
  webrtcTimeoutMs?: number;
  /**
   * STUN and TURN servers, as for `RTCPeerConnection`. Default none: a host whose port is open or mapped needs none. Each STUN
   * server learns the player's address.
   */
  iceServers?: RTCIceServer[];
}

/** Options of `SallyportBrowserClient.fromInvite`. */
export interface BrowserInviteOptions extends SallyportBrowserClientOptions, InviteSettings {}

const DEFAULT_WEBRTC_TIMEOUT_MS = 4000;

/** The browser's fetch, which says of a server that is kept from the page no more than `Failed to fetch`. */
const explainingFetch: typeof globalThis.fetch = async (input, init) => {
  try {
    return await globalThis.fetch(input, init);
  } catch (error) {
    const url = input instanceof Request ? input.url : input;
    const obstacle = init?.signal?.aborted ? undefined : await obstacleHere(new URL(url, globalThis.location.href));
    if (obstacle === undefined) throw error;
    throw new TypeError(obstacle, { cause: error });
  }
};

/**
 * Colyseus' own client for a web page, whose rooms go over WebRTC, so that what may be lost never holds up what comes after it:
 * to a server with SallyportTransport and `webrtc` if UDP gets through, else, and to any other Colyseus server, over WebSocket as
 * ever. `room.path.reason` says why.
 */
export class SallyportBrowserClient<Types extends ServerTypes = Untyped, UserData = Untyped> extends SessionClient<
  Types,
  UserData
> {
  /** What the host says of itself, where it was found by an invite: its name, its players. */
  readonly host: GameSummary | undefined;
  /** @internal */
  protected override readonly way: SessionWay;

  /**
   * @param settings as Colyseus' client: `http://host:port`, `ws://…`, or an object. Default: where the page comes from.
   * @param found @internal what an invite led to
   */
  constructor(settings?: string | EndpointSettings, options: SallyportBrowserClientOptions = {}, found?: HostDetails) {
    super(settings, { ...options, fetchFn: options.fetchFn ?? explainingFetch });
    const { webrtc = true, webrtcTimeoutMs = DEFAULT_WEBRTC_TIMEOUT_MS, iceServers = [], limits, fetchFn } = options;
    // Called as a method of another object, a browser's fetch is offended.
    const fetch: typeof globalThis.fetch = fetchFn ?? ((input, init) => globalThis.fetch(input, init));
    this.host = found;
    const { relayOnly = false } = options as BrowserInviteOptions;
    if (relayOnly && (found === undefined || !webrtc))
      throw new RangeError("relayOnly needs an invite and WebRTC: join with SallyportBrowserClient.fromInvite()");
    const endpoints = found === undefined ? {} : { endpoints: found.endpoints };
    const timeoutMs = webrtcTimeoutMs;
    this.way = webRTCDialer({ enabled: webrtc, timeoutMs, iceServers, limits, fetch, relayOnly, ...endpoints });
  }

  /**
   * The server that answers soonest, of several: a client of this kind for it.
   * @throws Error where none answers
   */
  static override async selectByLatency<Types extends ServerTypes = Untyped, UserData = Untyped>(
    endpoints: (string | EndpointSettings)[],
    options?: SallyportBrowserClientOptions,
    latencyOptions?: LatencyOptions,
  ): Promise<SallyportBrowserClient<Types, UserData>> {
    const clients = endpoints.map((endpoint) => new SallyportBrowserClient<Types, UserData>(endpoint, options));
    return await fastest(clients, latencyOptions);
  }

  /**
   * A client of the host that gave this invite, wherever it is, with or without an open port: matchmaking goes through the lobby or
   * public relays, sealed, and rooms over the best path that the browser and the host's WebRTC find, with the lobby's STUN and TURN
   * servers, or public STUN servers.
   * It works from a secure page too, which may not call a home host's plain http. What it needs (libsodium) is loaded when it is called.
   * @param invite the whole link, with which not even the lobby can listen; `K7Q2-9FXM-T3PD`; or `K7Q2-9FXM` with `lobby`, which a
   *   browser takes on trust
   * @throws RendezvousError whose `code` says why: `unknown-invite`, `no-lobby`, `unreachable`, `forged`, …
   */
  static async fromInvite<Types extends ServerTypes = Untyped, UserData = Untyped>(
    invite: string,
    {
      lobby,
      relays,
      stunServers,
      turnServers = [],
      relayOnly = false,
      signal,
      timeoutMs,
      ...options
    }: BrowserInviteOptions = {},
  ): Promise<SallyportBrowserClient<Types, UserData>> {
    const { openInviteTunnel } = await import("./invite-tunnel.ts");
    const { fetch, details, iceServers, playerServers } = await openInviteTunnel(invite, {
      lobby,
      relays,
      stunServers,
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    const servers = options.iceServers ?? [
      ...iceServers,
      ...turnServers.map(iceServerOf),
      ...(relayOnly ? [] : playerServers),
    ];
    if (relayOnly) needRelay(servers.filter(isTurn).length);
    const found = relayOnly ? { ...details, endpoints: [] } : details;
    const settings = {
      webrtcTimeoutMs: INVITED_TIMEOUT_MS,
      fetchFn: fetch,
      ...options,
      iceServers: servers,
      relayOnly,
    };
    return new SallyportBrowserClient<Types, UserData>(found.endpoints[0] ?? NO_ENDPOINT, settings, found);
  }
}

function iceServerOf({ urls, username, credential }: TurnServer): RTCIceServer {
  return {
    urls: typeof urls === "string" ? urls : [...urls],
    ...(username === undefined ? {} : { username }),
    ...(credential === undefined ? {} : { credential }),
  };
}

function isTurn({ urls }: RTCIceServer): boolean {
  return [urls].flat().some((url) => /^turns?:/.test(url));
}
