import { randomBytes } from "node:crypto";
import type http from "node:http";
import type { AddressInfo } from "node:net";
import {
  type AuthContext,
  CloseCode,
  createAuthContext,
  debugAndPrintError,
  matchMaker,
  Transport,
} from "@colyseus/core";
import type { ConnectivityManager } from "../../connectivity/manager/manager.ts";
import type { NatView } from "../../ice/port-prediction.ts";
import { sleep } from "../../net/wait.ts";
import type { HostRegistration } from "../../rendezvous/host/registration.ts";
import type { Session, SessionServer } from "../../session/types.ts";
import {
  CONNECT_PATH,
  CONNECT_PROTOCOL,
  CONNECT_PROTOCOL_NAME,
  type ConnectReply,
  MAX_CONNECT_REQUEST_BYTES,
  type ConnectEndpoint as Reachable,
} from "../wire/connect-request.ts";
import { decodeSeat, encodeSeat, type Seat } from "../wire/seat.ts";
import { WEBRTC_PATH } from "../wire/webrtc-request.ts";
import { RefusalLimiter } from "./admission/refusal-limiter.ts";
import { ConnectivityHost } from "./connectivity-host.ts";
import { type Entrance, serveEntrances } from "./entrances/connect-endpoint.ts";
import { createLimitedServer, limitConnections } from "./entrances/connection-limits.ts";
import { closeTCP, filterRequests, listenTCP } from "./entrances/http.ts";
import { serveInviteTunnel } from "./entrances/invite-tunnel.ts";
import { type ParsedConnectRequest, parseConnectRequest } from "./entrances/parse-connect-request.ts";
import { PendingContexts } from "./entrances/pending-contexts.ts";
import { guardRequests } from "./entrances/request-guard.ts";
import { answerRoomList, listedName } from "./entrances/room-list.ts";
import { FrameBatches } from "./frame-batches.ts";
import { joinRoom } from "./join.ts";
import { LanListing } from "./lan-listing.ts";
import { LobbyListing } from "./lobby-listing.ts";
import { diagnose, type PlayerConnection } from "./observability/diagnostics.ts";
import { Counter, describePlayers, type TransportMetrics } from "./observability/metrics.ts";
import { Players } from "./observability/players.ts";
import { explainConnections } from "./replaced/inspect.ts";
import { limitShutdown } from "./replaced/limit-shutdown.ts";
import { PublicAddress } from "./replaced/public-address.ts";
import type { SessionHost } from "./session-host.ts";
import { SocketHost } from "./socket-host.ts";
import type { SallyportTransportOptions } from "./transport-options.ts";
import { UDPClient, type UDPClientSettings, UDPConnection } from "./udp-client.ts";
import { WebRTCEntrance } from "./webrtc/entrance.ts";
import { FallbackWebSocketTransport } from "./websocket.ts";

const DEFAULT_PORT = 2567;
/** netcode's limit is 32; each address that leads nowhere costs a joining client time. */
const MAX_ENDPOINTS = 8;
const TOKEN_LIFETIME_SECONDS = 30;
/** A free TCP port may be taken over UDP; when the system chooses, another will do. */
const PORT_ATTEMPTS = 16;
const DEFAULT_DRAIN_TIMEOUT_MS = 30_000;
/** How long Colyseus' graceful shutdown waits for ports to be unmapped. */
const CLOSE_TIMEOUT_MS = 5000;

/**
 * Colyseus rooms over UDP, with WebSocket players in the same rooms, on one port number: an HTTP server for matchmaking and
 * WebSocket on TCP, secure sessions on UDP.
 */
export class SallyportTransport extends Transport implements AsyncDisposable {
  override server: NonNullable<Transport["server"]>;
  /** What keeps the port reachable; opened by `listen()`. Undefined with `connectivity: false`. */
  readonly connectivity: ConnectivityManager | undefined;
  /** How the game is known on the local network, or why it is not. Undefined with `lan: false`. */
  readonly lan: LanListing | undefined;
  readonly #options: SallyportTransportOptions;
  readonly #webSocket: FallbackWebSocketTransport;
  readonly #host: SessionHost;
  readonly #clients: UDPClientSettings;
  readonly #contexts = new PendingContexts(TOKEN_LIFETIME_SECONDS * 1000);
  readonly #timeoutSeconds: number;
  readonly #webRTC: WebRTCEntrance;
  #sessions: SessionServer | undefined;
  readonly #players = new Players();
  readonly #refusedConnections = new Counter();
  readonly #refusedRequests = new Counter();
  readonly #refusedTokens = new Counter();
  #granted = 0;
  #publicAddress: PublicAddress | undefined;
  #unexplain: (() => void) | undefined;
  #unlisten: (() => void) | undefined;
  #listing: LobbyListing | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SallyportTransportOptions = {}, host: SessionHost = hostFor(options)) {
    super();
    // The rest is for `ws`, which knows what is its own but would take the port for its own too.
    const { port: _, limits, server = createLimitedServer(limits), ...webSocketOptions } = options;
    const { maxPayload = 4096, pingInterval = 3000, pingMaxRetries = 2, verifyClient, beforeUpgrade } = options;
    this.#options = options;
    this.#host = host;
    this.connectivity = host instanceof ConnectivityHost ? host.connectivity : undefined;
    this.lan = LanListing.for(options, () => this.connectivity?.reachability);
    this.#webSocket = new FallbackWebSocketTransport({ ...webSocketOptions, server });
    this.#webSocket.enter(this.#players);
    this.#clients = { latencyMs: 0, maxPayload, batches: new FrameBatches() };
    this.#timeoutSeconds = timeoutSeconds(pingInterval, pingMaxRetries);
    this.server = server;
    this.#webRTC = new WebRTCEntrance(options.webrtc ?? false, {
      maxPayload,
      timeoutMs: Math.max(0, this.#timeoutSeconds) * 1000,
      endpoints: () => host.endpoints(),
      mapExtraPort: host.mapExtraPort?.bind(host),
      onSession: (session, seat, context) => this.#enter(session, seat, context),
    });
    const guard = {
      verifyClient,
      beforeUpgrade,
      limiter: new RefusalLimiter(),
      onRefused: (address: string, status: number, reason: string) => {
        this.#refusedTokens.add(status);
        diagnose("sallyport:connect:refused", () => ({ address, status, reason }));
      },
    };
    const udp: Entrance<ParsedConnectRequest> = {
      maxRequestBytes: MAX_CONNECT_REQUEST_BYTES,
      protocol: CONNECT_PROTOCOL,
      protocolName: CONNECT_PROTOCOL_NAME,
      parse: parseConnectRequest,
      issue: (request, context) => this.#issue(request, context),
    };
    serveEntrances(server, guard, [
      [CONNECT_PATH, udp],
      [WEBRTC_PATH, this.#webRTC],
    ]);
    filterRequests(server, (request, response) => {
      const name = options.listRooms && response ? listedName(request) : undefined;
      if (!response || name === undefined) return false;
      void answerRoomList(name, request, response);
      return true;
    });
    guardRequests(server, {
      ...options,
      onRefused: (request, status) => {
        this.#refusedRequests.add(status);
        options.onRefused?.(request, status);
      },
    });
    limitConnections(server, {
      limits,
      trustProxy: options.trustProxy,
      webSocket: this.#webSocket,
      onRefused: (_address, reason) => this.#refusedConnections.add(reason),
    });
    this.connectivity?.on("change", (reachability) => diagnose("sallyport:reachability", () => reachability));
  }

  /** The game's entry in the lobby, with its invite and its events; undefined without `lobby`, and before it listens. */
  get registration(): HostRegistration | undefined {
    return this.#listing?.registration;
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
    this.#closing ??= this.#close();
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

  /** `host:port` by which players of the fleet's other processes find this one; undefined while there is none. */
  get publicAddress(): string | undefined {
    return this.#publicAddress?.current;
  }

  /** A snapshot of what goes on here; {@link formatPrometheus} writes it for Prometheus. */
  metrics(): TransportMetrics {
    const reachability = this.connectivity?.reachability;
    const mapping = reachability?.endpoints.find(({ kind, protocol }) => kind === "mapped" && protocol === "udp");
    return {
      ...describePlayers(this.#players),
      handshakes: { granted: this.#granted, opened: this.#players.opened },
      refusals: {
        connections: { ...this.#refusedConnections.counts },
        requests: { ...this.#refusedRequests.counts },
        tokens: { ...this.#refusedTokens.counts },
      },
      reachability: reachability
        ? { verdict: reachability.verdict, mapped: mapping !== undefined, expiresAt: mapping?.expiresAt ?? 0 }
        : null,
      publicAddress: this.publicAddress ?? null,
    };
  }

  /** Everybody who is connected, and how. */
  connections(): PlayerConnection[] {
    return this.#players.list();
  }

  override getExpressApp(): ReturnType<FallbackWebSocketTransport["getExpressApp"]> {
    return this.#webSocket.getExpressApp();
  }

  async #listen(port: number | string, hostname: string | undefined, backlog: number | undefined): Promise<void> {
    const wanted = Number(port);
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65535) {
      throw new RangeError(
        `Cannot listen on ${JSON.stringify(port)}: a game over UDP needs a port number from 0 to 65535.`,
      );
    }
    for (let attempt = 1; ; attempt++) {
      const bound = await listenTCP(this.server, wanted, hostname, backlog);
      const address = bound.address === "::" ? "*" : bound.address;
      try {
        const sessions = await this.#host.open(bound.port, address);
        await this.#webRTC.open(bound.port, address).catch(async (error: unknown) => {
          await sessions.close().then(() => this.#host.close());
          throw error;
        });
        if (!this.#closing) this.#serve(sessions);
        else await sessions.close().then(() => this.#host.close());
        return;
      } catch (error) {
        await closeTCP(this.server);
        if (wanted !== 0 || attempt === PORT_ATTEMPTS || (error as NodeJS.ErrnoException).code !== "EADDRINUSE")
          throw error;
      }
    }
  }

  #serve(sessions: SessionServer): void {
    this.#sessions = sessions;
    sessions.onSession = (session) => this.#accept(session);
    this.#enlist(sessions);
    this.#holdShutdown();
    const { drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS, signals = true } = this.#options;
    const sayGoodbye = (code: number): void => this.#players.closeAll(code);
    this.#unlisten = limitShutdown(this, { drainTimeoutMs, signals, sayGoodbye });
    const publicAddress = new PublicAddress(this.#options.listPublicAddress ?? false);
    this.#publicAddress = publicAddress;
    this.#host.onChange = () => publicAddress.update(this.#host.dialable());
    this.#host.onChange();
    this.#unexplain = explainConnections(this.#players);
    this.lan?.open(this.server.address() as AddressInfo);
  }

  /** Colyseus awaits its driver when it shuts down, not its transport, then ends the process: ports would stay mapped. */
  #holdShutdown(): void {
    // Undefined where no Colyseus server was made.
    const driver = matchMaker.driver as typeof matchMaker.driver | undefined;
    if (!driver) return;
    const shutdown = driver.shutdown.bind(driver);
    driver.shutdown = async () => {
      driver.shutdown = shutdown;
      await this.#closing;
      await shutdown();
    };
  }

  #enlist(sessions: SessionServer): void {
    const { lobby, listing, description = "Sallyport" } = this.#options;
    const { connectivity } = this;
    if (lobby === undefined || !connectivity) return;
    const made = new LobbyListing({ name: description, ...listing, lobby }, connectivity);
    this.#listing = made;
    const server = this.server as http.Server;
    const nat = (): NatView | undefined => {
      const { mapping, filtering } = connectivity.reachability.nat;
      return mapping === "unknown" || filtering === "unknown" ? undefined : { mapping, filtering };
    };
    made.registration.on("servers", ({ stun }) => made.isLocal || this.#webRTC.useStunServers(stun));
    made.registration.on("introduction", (introduction) => {
      serveInviteTunnel(introduction, { server, sessions, ice: connectivity.ice, nat, isLocal: made.isLocal });
    });
  }

  async #close(): Promise<void> {
    this.#host.onChange = null;
    this.#publicAddress?.close();
    this.#unexplain?.();
    this.#unlisten?.();
    diagnose("sallyport:shutdown", () => ({ players: this.#players.size }));
    this.#webSocket.shutdown();
    // Off the lobby's list at once, so that nobody is sent to a closed door.
    const listing = Promise.all([this.#listing?.close(), this.lan?.close()]);
    const work = (async () => {
      await Promise.all([this.#sessions?.close(), this.#webRTC.close()]);
      await this.#host.close();
      await listing;
    })();
    await Promise.race([work.catch(debugAndPrintError), sleep(CLOSE_TIMEOUT_MS)]);
  }

  #issue({ seat, dialed }: ParsedConnectRequest, context: AuthContext): ConnectReply | string | null {
    const endpoints = unique([
      ...dialed.map((endpoint) => ({ ...endpoint, kind: "dialed" as const })),
      ...this.#host.endpoints(),
    ]).slice(0, MAX_ENDPOINTS);
    if (!this.#sessions || endpoints.length === 0) return null;
    const userData = encodeSeat(seat);
    if (!userData) return "The names of room and session are too long for a connect token (256 bytes).";
    const clientId = randomBytes(8).readBigUInt64LE();
    const token = this.#sessions.createToken({
      clientId,
      addresses: endpoints.map(({ address, port }) => ({ address, port })),
      userData,
      expireSeconds: TOKEN_LIFETIME_SECONDS,
      timeoutSeconds: this.#timeoutSeconds,
    });
    this.#contexts.set(clientId, context, performance.now());
    this.#granted++;
    const { roomId, sessionId } = seat;
    diagnose("sallyport:connect:granted", () => ({ roomId, sessionId, address: context.ip ?? "" }));
    return { protocol: CONNECT_PROTOCOL, token: Buffer.from(token).toString("base64"), endpoints };
  }

  #accept(session: Session): void {
    const seat = decodeSeat(session.userData);
    if (!seat) {
      session.close(CloseCode.WITH_ERROR, "not a Sallyport seat");
      return;
    }
    const context =
      this.#contexts.take(session.clientId, performance.now()) ??
      createAuthContext({ headers: {}, remoteAddress: session.remote.address });
    this.#enter(session, seat, context);
  }

  #enter(session: Session, seat: Seat, context: AuthContext): void {
    const connection = new UDPConnection(session, this.#clients);
    const client = new UDPClient(seat.sessionId, connection);
    this.#players.add(connection, { roomId: seat.roomId, sessionId: seat.sessionId, session });
    void joinRoom(seat.roomId, client, context, seat);
  }
}

function hostFor({ connectivity, description, signals }: SallyportTransportOptions): SessionHost {
  if (connectivity === false) return new SocketHost();
  return new ConnectivityHost({
    ...(signals === undefined ? {} : { signals }),
    ...connectivity,
    ...(description === undefined ? {} : { description }),
  });
}

/** netcode counts silence in whole seconds, and takes a negative number for "never". */
function timeoutSeconds(pingInterval: number, pingMaxRetries: number): number {
  return pingInterval > 0 && pingMaxRetries > 0 ? Math.ceil((pingInterval * (pingMaxRetries + 1)) / 1000) : -1;
}

function unique(endpoints: Reachable[]): Reachable[] {
  const seen = new Set<string>();
  return endpoints.filter(({ address, port }) => {
    const key = `${address} ${port}`;
    return !seen.has(key) && seen.add(key);
  });
}
