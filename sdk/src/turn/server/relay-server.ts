import { UDPSocket } from "../../net/udp-socket.ts";
import { STUN_PORT, StunMethod } from "../../stun/constants.ts";
import { isStun, messageType } from "../../stun/message.ts";
import { StunReplyLimiter } from "../../stun/reply-limiter.ts";
import { respondToStun } from "../../stun/responder.ts";
import type { TurnClient } from "./allocation.ts";
import type { RelaySockets } from "./core.ts";
import { TurnServerCore, type TurnServerCounters } from "./core.ts";
import type { TurnServerCoreOptions } from "./options.ts";
import { turnServerSettings } from "./options.ts";
import { UDPRelays, type UDPRelaysOptions } from "./relay-sockets.ts";
import { type StreamClient, StreamClients } from "./stream-clients.ts";

/** Options of a {@link TurnRelayServer}. */
export interface TurnRelayServerOptions extends Omit<TurnServerCoreOptions, "clock"> {
  /** For clients, over UDP and TCP alike. Default 3478; 0 lets the system choose. */
  port?: number;
  /** The address to listen on. Default `*`: all. */
  address?: string;
  /** Whether clients may come over TCP, for homes that block UDP. Default `true`. */
  tcp?: boolean;
  /**
   * What its clients' relayed addresses are, at most one of each family: the addresses by which the internet reaches this machine.
   * One that is on no interface is taken for a 1:1 NAT's.
   */
  relayAddresses: UDPRelaysOptions["addresses"];
  /** Relayed ports, both included. Default 49152 to 65535 (RFC 8656 section 7.2). A firewall must let UDP in there. */
  relayPorts?: UDPRelaysOptions["ports"];
}

type TurnServerOptions = Omit<TurnRelayServerOptions, "port" | "address" | "relayAddresses" | "relayPorts">;

/** Relayed addresses that look now and then what has become of them. */
export interface WatchedRelays extends RelaySockets {
  look(): void;
}

const DYNAMIC_PORTS = [49_152, 65_535] as const;
const BINDING_REQUEST = messageType(StunMethod.BINDING, "request");
const SWEEP_MS = 1000;
/** TCP connections of one caller, and of all, that have no allocation. */
const WITHOUT_ALLOCATION = { perCaller: 64, total: 512 } as const;

/**
 * A STUN and TURN server on one port (RFC 8489, RFC 8656): it relays UDP for clients whose credentials come from a shared secret
 * ({@link mintTurnCredentials}), over UDP and TCP.
 */
export class TurnRelayServer implements AsyncDisposable {
  /** Where clients ask, over UDP and TCP. */
  readonly port: number;
  readonly #socket: UDPSocket;
  /** The socket is somebody else's, who closes it. */
  readonly #isShared: boolean;
  readonly #relays: WatchedRelays;
  readonly #core: TurnServerCore;
  readonly #streams: StreamClients | undefined;
  readonly #bindings: StunReplyLimiter;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: TurnServerOptions, socket: UDPSocket, relays: WatchedRelays, isShared: boolean) {
    this.#socket = socket;
    this.#isShared = isShared;
    this.port = socket.localPort;
    this.#relays = relays;
    this.#core = new TurnServerCore(options, this.#relays);
    this.#bindings = new StunReplyLimiter(options.limits?.challenges);
    this.#streams = options.tcp === false ? undefined : new StreamClients(this.#streamOptions(options));
    socket.onDatagram = (data, address, port) => {
      const known = this.#core.clientAt(address, port);
      // A flood of junk makes no objects.
      if (known !== undefined) this.#receive(data, known);
      else if (isStun(data)) this.#receive(data, datagramClient(socket, address, port));
    };
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** @throws {UDPSocketError} or the system's error when a port can't be had */
  static async open(options: TurnRelayServerOptions): Promise<TurnRelayServer> {
    const { port = STUN_PORT, address = "*" } = options;
    const relays = new UDPRelays({ addresses: options.relayAddresses, ports: options.relayPorts ?? DYNAMIC_PORTS });
    const socket = UDPSocket.open({ address, port, receiveBufferSize: 1 << 20 });
    return await TurnRelayServer.#listen(new TurnRelayServer(options, socket, relays, false), address);
  }

  /**
   * On a socket and with relayed addresses that somebody else keeps open; TCP has the same port.
   * @throws the system's error when TCP's port can't be had
   */
  static async openOn(socket: UDPSocket, relays: WatchedRelays, options: TurnServerOptions): Promise<TurnRelayServer> {
    return await TurnRelayServer.#listen(new TurnRelayServer(options, socket, relays, true), "*");
  }

  static async #listen(server: TurnRelayServer, address: string): Promise<TurnRelayServer> {
    try {
      await server.#streams?.listen(server.port, address === "*" ? undefined : address);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Relayed addresses that are there now. */
  get allocations(): number {
    return this.#core.size;
  }

  /** What may still be relayed, in bytes: see `totalBytes` of its limits. */
  get bytesLeft(): number {
    return this.#core.bytesLeft;
  }

  /** What it relayed since the start. */
  get counters(): Readonly<TurnServerCounters> {
    return this.#core.counters;
  }

  /** Ends all allocations; resolves when its ports are free. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#core.close();
    if (this.#isShared) this.#socket.onDatagram = null;
    await Promise.all([this.#isShared ? undefined : this.#socket.close(), this.#streams?.close()]);
  }

  /** Closes, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #receive(data: Buffer, client: TurnClient): void {
    if (data[0] !== BINDING_REQUEST >> 8 || data[1] !== (BINDING_REQUEST & 0xff))
      return this.#core.receive(data, client);
    const { endpoint } = client;
    const reply = respondToStun(data, endpoint);
    if (reply === null) return;
    if (client.transport === "tcp") client.send(reply.data);
    else if (this.#bindings.take(endpoint.address, performance.now())) {
      this.#socket.send(reply.data, reply.port, endpoint.address);
    }
  }

  #sweep(): void {
    this.#core.sweep();
    this.#streams?.sweep(performance.now());
    this.#relays.look();
  }

  #streamOptions(options: TurnServerOptions): ConstructorParameters<typeof StreamClients>[0] {
    const { allocations } = turnServerSettings(options.limits);
    return {
      total: allocations + WITHOUT_ALLOCATION.total,
      unallocated: WITHOUT_ALLOCATION.total,
      perCaller: WITHOUT_ALLOCATION.perCaller,
      hasAllocation: (client) => this.#core.hasAllocation(client),
      receive: (frame, client) => this.#receive(frame, client),
      closed: (client: StreamClient) => this.#core.disconnected(client),
    };
  }
}

function datagramClient(socket: UDPSocket, address: string, port: number): TurnClient {
  return { transport: "udp", endpoint: { address, port }, send: (data) => socket.send(data, port, address) };
}
