import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { TurnAllocation } from "./allocation.ts";
import type { TurnAllocationOptions } from "./allocation-options.ts";
import type { TurnConnection } from "./connection.ts";
import { TurnError } from "./errors.ts";
import type { RelayPath } from "./relay-path.ts";
import type { TurnTransport } from "./url.ts";

export interface TurnRelayOptions extends Omit<TurnAllocationOptions, "server" | "reliable"> {
  /** How the server is reached. */
  transport: TurnTransport;
  signal: AbortSignal;
}

/** Node's timers take no longer ones. */
const MAX_TIMER_MS = 2 ** 31 - 1;

let relays = 0;

/**
 * A relayed address on a TURN server, kept until it is closed or lost: the edge where {@link TurnAllocation} meets clock,
 * timer and connection. Over UDP it lives on the game's own socket; over TCP and TLS it has a connection, which keeps
 * the process alive as any open socket does. `openTurnRelay` makes one.
 */
export class TurnRelay implements RelayPath, AsyncDisposable {
  /** Names it in reports: unique in this process. */
  readonly id: string;
  /** How we speak to the server. */
  readonly transport: TurnTransport;
  /** Called for each datagram of a peer. Default null: dropped. */
  onData: ((data: Buffer, address: string, port: number) => void) | null = null;
  /** Called when the relay is lost, not when it is closed. Default null. */
  onLost: ((error: TurnError) => void) | null = null;
  /** The server does not let us send to this address. */
  onRefused: ((address: string, error: TurnError) => void) | null = null;

  readonly #connection: TurnConnection;
  readonly #allocation: TurnAllocation;
  readonly #ended: PromiseWithResolvers<TurnError | null> = Promise.withResolvers();
  readonly #allocated: PromiseWithResolvers<void> = Promise.withResolvers();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closing = false;
  #isLost = false;

  private constructor(connection: TurnConnection, options: TurnRelayOptions) {
    const { transport, signal: _, ...allocation } = options;
    this.id = `turn-${transport}-${++relays}`;
    this.transport = transport;
    this.#connection = connection;
    this.#allocated.promise.catch(() => {});
    this.#allocation = new TurnAllocation(
      { ...allocation, server: connection.server, reliable: connection.reliable },
      {
        transmit: (message) => connection.send(message),
        data: (data, address, port) => this.onData?.(data, address, port),
        allocated: () => this.#allocated.resolve(),
        ended: (error) => this.#end(error),
        refused: (address, error) => this.onRefused?.(address, error),
      },
    );
    const { address, port } = connection.server;
    connection.onFrame = (data) => {
      const taken = this.#allocation.receive(data, address, port, performance.now());
      if (taken) this.#arm();
      return taken;
    };
    connection.onClosed = (error) => this.#allocation.abandon(error);
  }

  /**
   * Allocates over a connection, which it closes when it fails.
   * @throws {TurnError} `redirected` where the server names another
   */
  static async allocate(connection: TurnConnection, options: TurnRelayOptions): Promise<TurnRelay> {
    const { signal } = options;
    const relay = new TurnRelay(connection, options);
    const aborted = (): void => {
      relay.#allocated.reject(
        new TurnError("aborted", "Given up before the relay was there.", { cause: signal.reason }),
      );
      void relay.close();
    };
    if (signal.aborted) aborted();
    else {
      signal.addEventListener("abort", aborted, { once: true });
      relay.#allocation.start(performance.now());
      relay.#arm();
    }
    try {
      await relay.#allocated.promise;
      return relay;
    } finally {
      signal.removeEventListener("abort", aborted);
    }
  }

  /** The TURN server. */
  get server(): Endpoint {
    return this.#connection.server;
  }

  /** The address and port that peers send to. */
  get relayed(): Endpoint {
    return this.#allocation.relayed ?? { address: "", port: 0 };
  }

  /** Our address as the relay sees it: over UDP the socket's reflexive address. */
  get mapped(): Endpoint | null {
    return this.#allocation.mapped;
  }

  /** Whether it was given back or lost. */
  get closed(): boolean {
    return this.#closing || this.#isLost;
  }

  /** Why it was lost, once it is; `null` when it was given back. Never rejects. */
  get ended(): Promise<TurnError | null> {
    return this.#ended.promise;
  }

  /** Sends to a peer. @returns whether it was handed to the connection */
  send(data: Uint8Array, address: string, port: number): boolean {
    const sent = this.#allocation.send(data, address, port, performance.now());
    this.#arm();
    return sent;
  }

  /** Over UDP: asks the server so often that our NAT does not forget the way to it. `null`: its lifetime is not known. */
  fitKeepAlive(mappingLifetimeSeconds: number | null): void {
    if (this.transport !== "udp") return;
    this.#allocation.fitKeepAlive(mappingLifetimeSeconds, performance.now());
    this.#arm();
  }

  /** Lets datagrams of this address in (RFC 8656 section 9). */
  permit(address: string): void {
    this.#allocation.permit(address, performance.now());
    this.#arm();
  }

  /** Gives the relayed address back; resolves when the server has confirmed it, or after a second. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#allocation.release(performance.now());
      this.#arm();
    }
    await this.#ended.promise;
  }

  /** Closes, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** For people: relayed address, server and transport. */
  toString(): string {
    return `${formatEndpoint(this.relayed)} on ${formatEndpoint(this.server)} over ${this.transport}`;
  }

  #end(error: TurnError): void {
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
    const wasAllocated = this.#allocation.relayed !== null;
    this.#connection.onFrame = null;
    this.#connection.onClosed = null;
    this.#connection.close();
    this.#isLost = true;
    this.#allocated.reject(error);
    this.#ended.resolve(this.#closing ? null : error);
    if (wasAllocated && !this.#closing) this.onLost?.(error);
  }

  /** Cheap enough for each packet: the timer is set anew only for something earlier. */
  #arm(): void {
    const next = this.#allocation.nextTimeout();
    if (next === null || next >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    const delay = Math.min(Math.max(0, Math.ceil(next - performance.now())), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#allocation.handleTimeout(performance.now());
      this.#arm();
    }, delay).unref();
  }
}
