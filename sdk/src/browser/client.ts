import type { EndpointSettings } from "@colyseus/sdk";
import { SessionClient, type SessionClientOptions } from "../client/session-client.ts";
import type { SessionWay } from "../client/transport.ts";
import type { ServerTypes, Untyped } from "../client/types.ts";
import { webRTCWay } from "./webrtc-way.ts";

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

const DEFAULT_WEBRTC_TIMEOUT_MS = 4000;

/**
 * Colyseus' own client for a web page, whose rooms go over WebRTC, so that what may be lost never holds up what comes after it:
 * to a server with SallyportTransport and `webrtc` if UDP gets through, else, and to any other Colyseus server, over WebSocket as
 * ever. `room.path.reason` says why.
 */
export class SallyportBrowserClient<Types extends ServerTypes = Untyped, UserData = Untyped> extends SessionClient<
  Types,
  UserData
> {
  /** @internal */
  protected override readonly way: SessionWay;

  /** @param settings as Colyseus' client: `http://host:port`, `ws://…`, or an object. Default: where the page comes from. */
  constructor(settings?: string | EndpointSettings, options: SallyportBrowserClientOptions = {}) {
    super(settings, options);
    const { webrtc = true, webrtcTimeoutMs = DEFAULT_WEBRTC_TIMEOUT_MS, iceServers = [] } = options;
    this.way = webRTCWay({ enabled: webrtc, timeoutMs: webrtcTimeoutMs, iceServers });
  }
}
