import { randomBytes } from "node:crypto";
import type { NetworkConditions } from "../channel/line-model.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { HeldBytesBudget } from "../net/held-bytes.ts";
import { traceOf } from "../net/trace.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import { generateConnectToken } from "../netcode/connect-token.ts";
import { NetcodeServer } from "../netcode/server.ts";
import { netcodeReady } from "../netcode/sodium.ts";
import type { NetcodeDisconnectReason, NetcodeServerClient } from "../netcode/types.ts";
import { CLOSE_GOING_AWAY } from "./close-code.ts";
import type { SessionLimits } from "./limits.ts";
import type { SessionLink } from "./link.ts";
import { PacketSession } from "./packet-session.ts";
import { PATH_PORT, PathTable, type SessionPath } from "./path.ts";
import { PathConsent } from "./path-consent.ts";
import { isPathPacket } from "./path-packet.ts";
import { SESSION_PROTOCOL_ID } from "./protocol.ts";
import { SessionPump } from "./pump.ts";
import { Roaming } from "./roaming.ts";
import { tokenClock } from "./token-clock.ts";
import type { CloseReason, Session, SessionServer, SessionTokenOptions } from "./types.ts";

const trace = traceOf("session");

/** Options of a {@link UDPSessionServer}. */
export interface UDPSessionServerOptions extends SessionLimits {
  /**
   * 32 bytes that servers which accept each other's tokens share; their wall clocks must agree then. Default: random for each server,
   * whose tokens no wall clock touches.
   */
  privateKey?: Uint8Array;
  /**
   * The name under which tokens know this server (netcode's private address list). It need not be dialable, since the address
   * by which the world reaches a home host changes. Default: 127.0.0.1 and the socket's port.
   */
  identity?: Endpoint;
  /**
   * Only who comes by {@link UDPSessionServer.addPath} is served; nothing that comes straight to the socket is answered, not even from a
   * client's new address. Default false.
   */
  pathsOnly?: boolean;
  /** 1-65536. Default 1024. */
  maxClients?: number;
  /** Seconds that a connect token is good for, and that tokens of an earlier run stay refused after a start. Default 30. */
  tokenLifetimeSeconds?: number;
  /** A bad line to every peer, for trying the game out; see {@link Session.conditions}. */
  conditions?: NetworkConditions;
}

const DEFAULT_TIMEOUT_SECONDS = 10;
const UPDATE_MS = 100;
const LEAST_BUDGET_BYTES = 64 << 20;
/** How long a path's peer may take to come. */
const PATH_TIMEOUT_MS = 30_000;

/** Accepts secure sessions on a socket that it shares with STUN and TURN; it does not close the socket. */
export class UDPSessionServer implements SessionServer, AsyncDisposable {
  /** Called for each session that stands. Default null: nobody is told. */
  onSession: ((session: Session) => void) | null = null;
  readonly #socket: UDPSocket;
  readonly #netcode: NetcodeServer;
  readonly #live = new Set<Session>();
  readonly #pump = new SessionPump();
  readonly #roaming: Roaming;
  readonly #consent: PathConsent;
  readonly #options: UDPSessionServerOptions;
  readonly #privateKey: Uint8Array;
  readonly #identity: Endpoint;
  readonly #tokenLifetimeSeconds: number;
  readonly #timer: NodeJS.Timeout;
  readonly #paths = new PathTable();
  #closed = false;
  /** When the datagram came that is being read. */
  #now = 0;
  readonly #readSeconds: () => number;
  #unixSeconds: number;

  /** A server on a socket, once the cryptography is loaded. */
  static async open(socket: UDPSocket, options: UDPSessionServerOptions = {}): Promise<UDPSessionServer> {
    await netcodeReady();
    return new UDPSessionServer(socket, options);
  }

  /** {@link netcodeReady} must have resolved; {@link open} sees to it. */
  constructor(socket: UDPSocket, options: UDPSessionServerOptions = {}) {
    this.#socket = socket;
    const { budget = new HeldBytesBudget(Math.max(LEAST_BUDGET_BYTES, 2 * (options.maxMessageBytes ?? 0))) } = options;
    this.#options = { ...options, budget };
    this.#privateKey = options.privateKey ?? randomBytes(32);
    this.#readSeconds = tokenClock(options.privateKey !== undefined);
    this.#unixSeconds = this.#readSeconds();
    this.#identity = options.identity ?? { address: "127.0.0.1", port: socket.localPort };
    this.#tokenLifetimeSeconds = options.tokenLifetimeSeconds ?? 30;
    this.#netcode = new NetcodeServer(
      {
        protocolId: SESSION_PROTOCOL_ID,
        privateKey: this.#privateKey,
        address: this.#identity,
        maxClients: options.maxClients ?? 1024,
        maxTokenLifetimeSeconds: this.#tokenLifetimeSeconds,
        oneTokenPerClient: true,
        ...(options.maxPacketBytes === undefined ? {} : { maxPayloadBytes: options.maxPacketBytes }),
      },
      {
        send: (data, address, port) => {
          const entry = this.#paths.get(address, port);
          if (entry) entry.path.send(data);
          else socket.send(data, port, address);
        },
        clientConnected: (client) => this.#connected(client),
        clientDisconnected: (client, reason) => this.#disconnected(client, reason),
        payload: (client, data) => {
          if (isPathPacket(data)) this.#pathPacket(client, data);
          else sessionOf(client)?.receive(data, this.#now);
        },
      },
    );
    this.#netcode.start(this.#pump.now(), this.#unixSeconds);
    this.#roaming = new Roaming(this.#netcode, {
      moved: (client) => {
        this.#consent.moved(client, this.#now);
        sessionOf(client)?.moved();
      },
      strayed: (client, from, port, bytes) => {
        const entry = this.#paths.get(client.address, client.port);
        entry?.path.strayed?.(from, port, bytes);
        return entry !== null;
      },
    });
    this.#consent = new PathConsent(this.#netcode);
    if (!options.pathsOnly) this.#listen(socket);
    this.#timer = setInterval(() => {
      this.#unixSeconds = this.#readSeconds();
      const now = this.#pump.now();
      this.#netcode.update(now);
      this.#consent.update(now);
    }, UPDATE_MS);
    this.#timer.unref();
  }

  #listen(socket: UDPSocket): void {
    socket.onDatagram = (data, address, port) => {
      const now = this.#pump.now();
      this.#now = now;
      if (!this.#netcode.receive(data, address, port, now, this.#unixSeconds))
        this.#roaming.receive(data, address, port, now);
    };
  }

  /** The sessions that stand. */
  get sessions(): ReadonlySet<Session> {
    return this.#live;
  }

  /** A netcode connect token, 2048 bytes, good for one session. */
  createToken(options: SessionTokenOptions): Uint8Array {
    if (trace.on) trace.event("token-made", { addresses: options.addresses });
    return generateConnectToken({
      protocolId: SESSION_PROTOCOL_ID,
      privateKey: this.#privateKey,
      clientId: options.clientId,
      publicAddresses: options.addresses,
      privateAddresses: [this.#identity],
      // A shorter life would be refused for a while after a start (netcode's restart rule).
      expireSeconds: Math.max(options.expireSeconds ?? 0, this.#tokenLifetimeSeconds),
      timeoutSeconds: options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      userData: options.userData,
      unixSeconds: this.#readSeconds(),
    });
  }

  /** Lets a peer in by a path that was found otherwise, as by ICE; see {@link SessionServer.addPath}. */
  addPath(path: SessionPath, timeoutMs: number = PATH_TIMEOUT_MS): void {
    if (this.#closed) {
      path.close();
      return;
    }
    const { name } = this.#paths.add(path, timeoutMs);
    if (trace.on) trace.event("path-awaited", { path: name, timeoutMs });
    path.onData = (data) => {
      this.#now = this.#pump.now();
      return this.#netcode.receive(data, name, PATH_PORT, this.#now, this.#unixSeconds);
    };
  }

  /** Says goodbye to every peer and stops listening. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const session of this.#live) session.close(CLOSE_GOING_AWAY, "server closed");
    // The close frames leave in this tick; whoever misses them still gets netcode's ten disconnect packets.
    await new Promise((resolve) => setImmediate(resolve));
    clearInterval(this.#timer);
    this.#netcode.stop(this.#pump.now());
    this.#socket.onDatagram = null;
    this.#paths.clear();
    this.#live.clear();
    this.#pump.close();
  }

  /** Closes, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #pathPacket(client: NetcodeServerClient, data: Uint8Array): void {
    if (this.#roaming.isReading) this.#roaming.pathPacket(client, data);
    else this.#consent.pathPacket(client, data, this.#now);
  }

  #connected(client: NetcodeServerClient): void {
    const netcode = this.#netcode;
    const entry = this.#paths.get(client.address, client.port);
    const link: SessionLink = {
      get remote() {
        return entry?.remote ?? { address: client.address, port: client.port };
      },
      get kind() {
        return entry?.kind ?? "direct";
      },
      pairs: () => entry?.path.pairs?.() ?? [],
      get heardAt() {
        return client.lastReceiveTime;
      },
      send: (payload, now) => netcode.send(client, payload, now),
      disconnect: (now) => netcode.disconnect(client, now),
    };
    const session = new PacketSession(link, this.#pump, {
      clientId: client.clientId,
      userData: client.userData.slice(),
      handshakeMs: client.handshakeMs,
      limits: this.#options,
      conditions: this.#options.conditions ?? null,
    });
    client.context = session;
    if (entry) entry.session = session;
    this.#live.add(session);
    if (trace.on) {
      const { remote, pathKind: kind } = session;
      trace.event("opened", { remote, kind, path: entry?.name, handshakeMs: client.handshakeMs });
    }
    this.onSession?.(session);
  }

  #disconnected(client: NetcodeServerClient, reason: NetcodeDisconnectReason): void {
    this.#roaming.forget(client);
    this.#consent.forget(client);
    const session = sessionOf(client);
    if (!session) return;
    client.context = undefined;
    this.#live.delete(session);
    session.lost(CLOSE_REASONS[reason]);
    const entry = this.#paths.get(client.address, client.port);
    if (entry) this.#paths.remove(entry);
  }
}

const CLOSE_REASONS: Record<NetcodeDisconnectReason, CloseReason> = {
  timeout: "timeout",
  client: "remote",
  server: "local",
};

const sessionOf = (client: NetcodeServerClient): PacketSession | undefined =>
  client.context as PacketSession | undefined;
