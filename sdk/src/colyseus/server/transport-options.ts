import type { TransportOptions } from "@colyseus/ws-transport";
import type { NetworkConditions } from "../../channel/line-model.ts";
import type { NetworkPreset } from "../../channel/network-presets.ts";
import type { AnnounceOptions } from "../../connectivity/announced.ts";
import type { ConnectivityOptions } from "../../connectivity/options.ts";
import type { RelayingLimits } from "../../connectivity/relaying/player-relay.ts";
import type { TransportLimits } from "./admission/limits.ts";
import type { RequestGuardOptions } from "./entrances/request-guard.ts";
import type { LanListingOptions } from "./listings/lan-listing.ts";
import type { LobbyListingOptions } from "./listings/lobby-listing.ts";
import type { WebRTCSwitch } from "./webrtc/endpoint.ts";

/** Options of `SallyportTransport`. Those of `WebSocketTransport` mean the same. */
export interface SallyportTransportOptions
  extends Omit<TransportOptions, "noServer" | "host" | "backlog">,
    RequestGuardOptions {
  /** What routers show beside the mapping. Default "Sallyport". */
  description?: string;
  /**
   * A lobby's URL (with `defineRendezvous`): the game is listed there and gets an invite, and players whom no open port lets in are
   * introduced there. Or `public`: an invite by public relays, which needs no server; these relays see the public addresses of host and
   * players, and nothing of what is said. `registration` of the transport tells how that goes. Default: none.
   */
  lobby?: string | undefined;
  /** With `lobby: "public"`: relays in place of the package's list, as `HostRegistrationOptions` of `sallyport/rendezvous` takes them. */
  relays?: readonly string[] | undefined;
  /** With `lobby: "public"`: STUN servers (`stun:HOST:PORT`, at most 8) in place of the package's list. */
  stunServers?: readonly string[] | undefined;
  /**
   * With `lobby: "public"`: the URL of a page for the invite's link (`npm run build:page` makes one for any static host). Default: the
   * game's own URL while it can be reached from outside, else no page: the code is passed on.
   */
  page?: string | undefined;
  /** More for the lobby's list: the game's name (default: the description), a description, most players, a kept secret. */
  listing?: Partial<Omit<LobbyListingOptions, "lobby">>;
  /**
   * How the way in is opened and kept; `false` asks nobody, for a LAN or a server with a known address. Default: the whole ladder.
   * `optionsFromEnvironment()` lets the person who hosts choose.
   */
  connectivity?: Omit<ConnectivityOptions, "port" | "address" | "description"> | false;
  /**
   * How players reach the game from outside where this machine cannot find it out: in a container, behind a cloud's 1:1 NAT, by ports
   * that were forwarded by hand. It says where UDP and WebRTC lead; Colyseus' `publicAddress` says where seats send WebSocket and
   * matchmaking, and wins there. What is not said here, `connectivity.announce` may say. Default: nothing is announced.
   */
  announce?: AnnounceOptions;
  /**
   * Hides this host's addresses from players: they come by invite alone, each over the lobby's TURN server (or those of
   * `connectivity.turnServers`), browsers too. The game is not announced on the local network, no invite and no seat names an address of
   * this machine, and neither home sends the other a packet. Without a TURN server nobody can join, which the reachability says at once.
   * Players who relay for others are not used: they would see the address. Default: `connectivity.relayOnly`, else false.
   */
  relayOnly?: boolean;
  /**
   * Lets players whose computers the internet reaches relay for the others of this game, where both homes' routers let nothing direct
   * through: the most that is taken of one player, in kbit/s and in all in GB. Each of them has to switch it on too (`relayForOthers` of
   * SallyportClient). They carry encrypted packets, and learn the addresses of those whom they relay. With `relayOnly` it has no effect.
   * Default: nobody relays.
   */
  relayForOthers?: RelayingLimits;
  /**
   * Colyseus' graceful shutdown has SIGINT, SIGTERM and SIGUSR2; with this SIGHUP too, which a closed terminal sends. Until the
   * ports are unmapped, an echo of the signal (npm and watchers pass it on) does not kill the process; without a graceful shutdown
   * the signal unmaps them. See `signals` of ConnectivityOptions. Default true; `false` leaves signals alone.
   */
  signals?: boolean;
  /**
   * Lets browsers in by WebRTC (`sallyport/browser`), on a UDP port of its own: the game's port + 10000, or what an object says. It needs
   * the package `node-datachannel`: `true` fails without it, `auto` does without WebRTC then. Default false: browsers use WebSocket.
   */
  webrtc?: WebRTCSwitch;
  /**
   * The game is announced on the local network, so that players there find it without lobby or internet
   * (`SallyportClient.discover()`): its description, how many play, and its port, to whoever is on that network. Only on interfaces
   * with private addresses, never on those of a rented server. Default true; `false`, or `SALLYPORT_LAN=none` in the environment,
   * opens no socket for it.
   */
  lan?: boolean | LanListingOptions;
  /** The game's port, TCP and UDP, where `listen()` is called without one. Default 2567, as in Colyseus. */
  port?: number;
  /**
   * True shows the addresses of this process' rooms to all who ask for a list of rooms (LobbyRoom, monitor), as Colyseus does.
   * Default false: only those learn it who get a seat in another process than the one that they asked. The address itself is
   * learnt by `connectivity`, unless `publicAddress` of Colyseus' `defineServer` says it.
   */
  listPublicAddress?: boolean;
  /**
   * True answers `client.getAvailableRooms()` (`GET /matchmake/NAME`) with the rooms that are neither private, unlisted nor locked.
   * Default false: whoever may see which rooms there are is the game's business.
   */
  listRooms?: boolean;
  /**
   * Largest message that a client may send, bytes; more closes the connection with 1009, by whatever way it came. Default 4096, as in
   * Colyseus; 0 = 256 MiB, which is the most over UDP. What the server sends may be as long as `limits.queuedBytes` allows.
   */
  maxPayload?: number;
  /**
   * A bad line to every player, for trying the game out: conditions, or the name of a preset, `mobile`, `hotel Wi-Fi` or
   * `other continent`. Both ways over UDP and WebRTC; over WebSocket what the server sends. Default: the line as it is.
   */
  conditions?: NetworkConditions | NetworkPreset | undefined;
  /**
   * What strangers and players may take: TCP connections, sessions, memory for messages. A `server` that is given keeps what its maker
   * chose for its connections. Default: see {@link TransportLimits}.
   */
  limits?: TransportLimits;
  /**
   * How long a graceful shutdown waits for rooms that do not end, ms; then all players are told (4001), ports are unmapped and the
   * process ends without them. Default 30 000; 0 waits for ever, as Colyseus does.
   */
  drainTimeoutMs?: number;
  /**
   * With `pingMaxRetries` (default 2) says how long a silent player is waited for: (pingMaxRetries + 1) · pingInterval ms over UDP.
   * Default 3000 ms; 0 = for ever.
   */
  pingInterval?: number;
}
