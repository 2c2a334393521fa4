import type http from "node:http";
import type { AddressInfo } from "node:net";
import { type AuthContext, CloseCode, debugAndPrintError, logger, Transport } from "@colyseus/core";
import type { NetworkConditions } from "../../channel/line-model.ts";
import { networkConditions } from "../../channel/network-presets.ts";
import type { AnnounceOptions } from "../../connectivity/announced.ts";
import type { ConnectivityManager } from "../../connectivity/manager/manager.ts";
import type { Step } from "../../connectivity/reachability.ts";
import { addressScope } from "../../net/scope.ts";
import type { HostRegistration } from "../../rendezvous/host/registration.ts";
import { RendezvousError } from "../../rendezvous/wire/errors.ts";
import type { Invite } from "../../rendezvous/wire/invite.ts";
import type { Session, SessionServer } from "../../session/types.ts";
import { CONNECT_PATH } from "../wire/connect-request.ts";
import type { Seat } from "../wire/seat.ts";
import { WEBRTC_PATH } from "../wire/webrtc-request.ts";
import { Admission } from "./admission/admission.ts";
import { completeAdmissionLimits } from "./admission/admission-limits.ts";
import { type Caller, callerAt } from "./admission/caller.ts";
import { type DoorLimits, doorLimits } from "./admission/limits.ts";
import { Upgrades } from "./admission/upgrades.ts";
import { FrameBatches } from "./clients/frame-batches.ts";
import { joinRoom } from "./clients/join.ts";
import { UDPClient, type UDPClientSettings, UDPConnection } from "./clients/udp-client.ts";
import { FallbackWebSocketTransport } from "./clients/websocket.ts";
import { createLimitedServer } from "./entrances/connection-limits.ts";
import { mountEntrances } from "./entrances/entrances.ts";
import { closeTCP } from "./entrances/http.ts";
import { serveIntroductions } from "./entrances/introductions.ts";
import { UDPEndpoint } from "./entrances/udp-endpoint.ts";
import { ConnectivityHost } from "./hosts/connectivity-host.ts";
import type { SessionHost } from "./hosts/session-host.ts";
import { SocketHost } from "./hosts/socket-host.ts";
import { listenOnPort } from "./listen.ts";
import type { LanListing } from "./listings/lan-listing.ts";
import { Listings } from "./listings/listings.ts";
import { diagnose, type PlayerConnection } from "./observability/diagnostics.ts";
import { limitLog } from "./observability/limit-log.ts";
import { type TransportMetrics, takeMetrics } from "./observability/metrics.ts";
import { Players } from "./observability/players.ts";
import type { Refusals } from "./observability/refusals.ts";
import { Relaying } from "./relaying/relaying.ts";
import { holdDriverShutdown } from "./replaced/driver-shutdown.ts";
import { guardHandlers } from "./replaced/handlers.ts";
import { addConnectionsToInspector } from "./replaced/room-inspection.ts";
import { countSeats } from "./replaced/seat-reservation.ts";
import { closeInOrder, superviseShutdown } from "./shutdown.ts";
import type { SallyportTransportOptions } from "./transport-options.ts";
import { WebRTCEndpoint } from "./webrtc/endpoint.ts";

const DEFAULT_PORT = 2567;
/** A fragment of a WebSocket message weighs far more than its bytes: who cuts a message cuts it into pieces of about this size. */
const FRAGMENT_BYTES = 16_384;
const LEAST_FRAGMENTS = 64;

/**
 * Colyseus rooms over UDP, with WebSocket players in the same rooms, on one port number: an HTTP server for matchmaking and
 * WebSocket on TCP, secure sessions on UDP.
 */
export class SallyportTransport extends Transport implements AsyncDisposable {
  override server: NonNullable<Transport["server"]>;
  /** What keeps the port reachable; opened by `listen()`. Undefined with `connectivity: false`. */
  readonly connectivity: ConnectivityManager | undefined;
  readonly #options: SallyportTransportOptions;
  readonly #host: SessionHost;
  readonly #limits: DoorLimits;
  readonly #clients: UDPClientSettings;
  readonly #players = new Players();
  readonly #webSocket: FallbackWebSocketTransport;
  readonly #udp: UDPEndpoint;
  readonly #webRTC: WebRTCEndpoint;
  readonly #upgrades = new Upgrades();
  readonly #listings: Listings;
  readonly #refusals: Refusals;
  readonly #conditions: NetworkConditions | undefined;
  readonly #admission: Admission;
  readonly #relaying: Relaying | undefined;
  /** Takes back what `listen()` changed in Colyseus. */
  readonly #undo: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  /** @throws RangeError for options out of their ranges */
  constructor(options?: SallyportTransportOptions);
  constructor(options: SallyportTransportOptions = {}, host: SessionHost = hostFor(options)) {
    super();
    const limits = doorLimits(options.maxPayload, options.limits);
    const { server = createLimitedServer(options.limits), webrtc = false } = options;
    this.server = server;
    this.#options = options;
    this.#conditions = options.conditions === undefined ? undefined : networkConditions(options.conditions);
    this.#host = host;
    this.connectivity = host instanceof ConnectivityHost ? host.connectivity : undefined;
    const announce = announceOf(options);
    const relayOnly = this.connectivity?.isHidden ?? false;
    this.#listings = new Listings({ ...options, announce, server, relayOnly }, this.connectivity);
    this.#limits = limits;
    this.#webSocket = webSocketTransport(options, server, limits);
    const admission = new Admission(completeAdmissionLimits(options.limits));
    this.#admission = admission;
    const { trustProxy = false } = options;
    const upgrades = this.#upgrades;
    const { relayForOthers } = options;
    if (relayForOthers && this.connectivity && !relayOnly) {
      this.#relaying = new Relaying(relayForOthers, this.connectivity);
    }
    this.#clients = { latencyMs: 0, limits, batches: new FrameBatches(), relaying: this.#relaying };
    this.#webSocket.registerWith({
      players: this.#players,
      admission,
      trustProxy,
      upgrades,
      clients: this.#clients,
      conditions: this.#conditions,
    });
    const timeoutSeconds = timeoutSecondsOf(options);
    const shared = {
      endpoints: () => host.endpoints(),
      onSession: (session: Session, seat: Seat, context: AuthContext, caller: Caller | undefined) =>
        this.#join(session, seat, context, caller),
    };
    const { tokensPerSeat, webRTCOffers } = admission.limits;
    const bound = (): number | undefined => (server.address() as AddressInfo | null)?.port;
    this.#udp = new UDPEndpoint({
      ...shared,
      timeoutSeconds,
      tokensPerSeat,
      relaying: () => this.#relaying?.terms,
      ports: () => ({ bound: bound(), announced: announce.port }),
    });
    this.#webRTC = new WebRTCEndpoint(webrtc, {
      ...shared,
      limits,
      announced: () => ({ addresses: host.announced(), port: announce.webrtcPort }),
      maxOffers: webRTCOffers,
      timeoutMs: Math.max(0, timeoutSeconds) * 1000,
      mapExtraPort: host.mapExtraPort?.bind(host),
      relayOnly,
    });
    this.#webRTC.useTurnServers((options.connectivity || {}).turnServers ?? []);
    this.#refusals = mountEntrances(server, this.#webSocket, { ...options, admission, upgrades }, [
      [CONNECT_PATH, this.#udp],
      [WEBRTC_PATH, this.#webRTC],
    ]);
    this.connectivity?.on("change", (reachability) => diagnose("sallyport:reachability", () => reachability));
    if (relayOnly) this.connectivity?.on("step", warnWithoutRelay);
  }

  /** How the game is known on the local network, or why it is not. Undefined with `lan: false`. */
  get lan(): LanListing | undefined {
    return this.#listings.lan;
  }

  /** The game's entry in the lobby, with its invite and its events; undefined without `lobby`, and before it listens. */
  get registration(): HostRegistration | undefined {
    return this.#listings.lobby?.registration;
  }

  /**
   * Takes the invite back: its code and link lead nowhere from now on. Players in the game stay there. Answers with another one.
   * @throws RendezvousError `no-lobby` where the game is listed in none, and as {@link HostRegistration.newInvite} does
   */
  async newInvite(): Promise<Invite> {
    if (!this.registration) throw new RendezvousError("no-lobby", "This game has no lobby, hence no invite.");
    return await this.registration.newInvite();
  }

  /** `host:port` by which players of the fleet's other processes find this one; undefined while there is none. */
  get publicAddress(): string | undefined {
    return this.#listings.publicAddress;
  }

  /** Colyseus calls this by `server.listen(port)`. `listeningListener` is called with an error when a port cannot be had. */
  override listen(
    port: number | string = this.#options.port ?? DEFAULT_PORT,
    hostname?: string,
    backlog?: number,
    listeningListener?: (error?: Error) => void,
  ): this {
    const failed = (error: Error): void => {
      if (!listeningListener) debugAndPrintError(error);
      else listeningListener(error);
    };
    void this.#listen(port, hostname, backlog).then(() => listeningListener?.(), failed);
    return this;
  }

  /** Called by Colyseus once its rooms are disposed. {@link SallyportTransport[Symbol.asyncDispose]} tells when all is done. */
  override shutdown(): void {
    this.#closing ??= holdDriverShutdown(this.#close());
  }

  /** Shuts down and resolves when sockets are closed and ports unmapped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.shutdown();
    await this.#closing;
  }

  /** Delays what is sent over either protocol. Colyseus' `server.simulateLatency` halves the round trip and delays what comes in. */
  override simulateLatency(milliseconds: number): void {
    this.#clients.latencyMs = milliseconds > 0 ? milliseconds : 0;
    this.#webSocket.simulateLatency(milliseconds);
  }

  /** A snapshot of what goes on here; {@link formatPrometheus} writes it for Prometheus. */
  metrics(): TransportMetrics {
    return takeMetrics({
      players: this.#players,
      refusals: this.#refusals,
      granted: this.#udp.granted,
      reachability: this.connectivity?.reachability,
      publicAddress: this.publicAddress,
    });
  }

  /** Everybody who is connected, and how. */
  connections(): PlayerConnection[] {
    return this.#players.list();
  }

  override getExpressApp(): ReturnType<FallbackWebSocketTransport["getExpressApp"]> {
    return this.#webSocket.getExpressApp();
  }

  async #listen(port: number | string, hostname: string | undefined, backlog: number | undefined): Promise<void> {
    const listeners = { server: this.server, host: this.#host, webRTC: this.#webRTC, limits: this.#limits };
    const sessions = await listenOnPort(listeners, port, hostname, backlog);
    try {
      if (!this.#closing) this.#serve(sessions);
      else await Promise.resolve(sessions?.close()).then(() => this.#host.close());
    } catch (error) {
      await closeTCP(this.server);
      throw error;
    }
  }

  /** @param sessions none where the runtime has no UDP */
  #serve(sessions: SessionServer | undefined): void {
    const { connectivity } = this;
    const server = this.server as http.Server;
    if (sessions) this.#udp.open(sessions);
    this.#listings.open(this.#host, server.address() as AddressInfo);
    const { lobby } = this.#listings;
    lobby?.registration.on("servers", ({ stun, turn }) => {
      if (!lobby.isLocal) this.#webRTC.useStunServers(stun);
      this.#webRTC.useTurnServers(turn);
    });
    const relaying = this.#relaying;
    if (lobby && relaying) lobby.registration.relaying = () => relaying.introduced();
    if (lobby && connectivity && sessions) serveIntroductions(lobby, { server, sessions, connectivity, relaying });
    const { drainTimeoutMs, signals } = this.#options;
    const closePlayers = (code: number): void => this.#players.closeAll(code);
    this.#undo.push(superviseShutdown(this, { drainTimeoutMs, signals, closePlayers }));
    this.#undo.push(addConnectionsToInspector(this.#players), countSeats(), guardHandlers(), limitLog());
  }

  async #close(): Promise<void> {
    this.#host.onChange = null;
    for (const undo of this.#undo.splice(0)) undo();
    diagnose("sallyport:shutdown", () => ({ players: this.#players.size }));
    await this.#relaying?.close();
    await closeInOrder({
      webSocket: this.#webSocket,
      listings: this.#listings,
      endpoints: [this.#udp, this.#webRTC],
      host: this.#host,
    });
  }

  #join(session: Session, seat: Seat, context: AuthContext, asked: Caller | undefined): void {
    if (this.#conditions) session.conditions = this.#conditions;
    if (seat.upgrade !== undefined) {
      // The player is in the room already, or has left meanwhile.
      if (!this.#upgrades.offer(seat, session)) session.close(CloseCode.WITH_ERROR, "nobody waits for this session");
      return;
    }
    const connection = new UDPConnection(session, this.#clients);
    const client = new UDPClient(seat.sessionId, connection);
    this.#players.add(connection, { roomId: seat.roomId, sessionId: seat.sessionId, session });
    const admission = this.#admission;
    const { address } = session.remote;
    // Where a proxy asked, the session's own address tells one player from another.
    const caller = asked ?? (addressScope(address) === "public" ? callerAt(address) : undefined);
    if (asked === undefined && caller && admission.isCrowded(caller)) {
      client.error(429, "As many players of your address are here as may be.", () =>
        client.leave(CloseCode.WITH_ERROR),
      );
      return;
    }
    void joinRoom(seat.roomId, client, context, { ...seat, admission, caller });
  }
}

/** The transport on a host that is handed in, for tests: no door exports it, and the class' own type takes options alone. */
export const TransportWithHost: new (options: SallyportTransportOptions, host?: SessionHost) => SallyportTransport =
  SallyportTransport;

function hostFor(options: SallyportTransportOptions): SessionHost {
  const { connectivity, description, signals, relayOnly } = options;
  const announce = announceOf(options);
  if (connectivity === false) {
    if (relayOnly) throw new RangeError("relayOnly needs a TURN server, which connectivity: false never asks");
    return new SocketHost(announce);
  }
  return new ConnectivityHost({
    ...(signals === undefined ? {} : { signals }),
    ...connectivity,
    ...(relayOnly === undefined ? {} : { relayOnly }),
    announce,
    ...(description === undefined ? {} : { description }),
  });
}

/** Nobody can join then: that is not left to those who look at the reachability. */
function warnWithoutRelay({ step, outcome, reason }: Step): void {
  if (step === "turn" && outcome !== "ok" && outcome !== "skipped") logger.warn(`Sallyport: ${reason}`);
}

function announceOf({ connectivity, announce }: SallyportTransportOptions): AnnounceOptions {
  return { ...(connectivity === false ? {} : connectivity?.announce), ...announce };
}

/** `ws` picks its own options out of ours, but would take `port` for its own too. */
function webSocketTransport(
  { port: _, limits: _limits, conditions: _conditions, ...options }: SallyportTransportOptions,
  server: NonNullable<Transport["server"]>,
  { maxMessageBytes: maxPayload }: DoorLimits,
): FallbackWebSocketTransport {
  const maxFragments = LEAST_FRAGMENTS + Math.ceil(maxPayload / FRAGMENT_BYTES);
  return new FallbackWebSocketTransport({ maxFragments, ...options, maxPayload, server });
}

/** netcode counts silence in whole seconds, and takes a negative number for "never". */
function timeoutSecondsOf({ pingInterval = 3000, pingMaxRetries = 2 }: SallyportTransportOptions): number {
  return pingInterval > 0 && pingMaxRetries > 0 ? Math.ceil((pingInterval * (pingMaxRetries + 1)) / 1000) : -1;
}
