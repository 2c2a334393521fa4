import { createServer, type Server, type Socket } from "node:net";
import { callerKey } from "../../net/caller-key.ts";
import { ConnectionTable } from "../../net/connection-table.ts";
import { type Endpoint, normalizeAddress } from "../../net/endpoint.ts";
import { Stream } from "../../net/stream.ts";
import { TurnStreamReader } from "../../stun/stream-reader.ts";
import type { TurnClient } from "./allocation.ts";

/** A client over TCP. */
export class StreamClient implements TurnClient {
  readonly transport = "tcp";
  readonly endpoint: Endpoint;
  /** When it connected, ms of a monotonic clock. */
  readonly since: number;
  readonly #stream: Stream;

  constructor(stream: Stream, endpoint: Endpoint, now: number) {
    this.#stream = stream;
    this.endpoint = endpoint;
    this.since = now;
  }

  /** What a slow client does not read in time is lost, as a datagram would be. */
  send(data: Uint8Array): boolean {
    return this.#stream.send(data);
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

export interface StreamClientsOptions {
  /** Most connections; those with an allocation are never closed for others. */
  total: number;
  /** Most of one caller that have no allocation. */
  perCaller: number;
  /** Most in all that have no allocation. */
  unallocated: number;
  hasAllocation: (client: StreamClient) => boolean;
  receive: (frame: Buffer, client: StreamClient) => void;
  closed: (client: StreamClient) => void;
}

/** A client has so long to ask for an allocation, and so long to come back after it gave one up. */
const WITHOUT_ALLOCATION_MS = 10_000;

/** The TCP side of a TURN server: accepts, cuts frames, and closes what is silent, too much, or no STUN. */
export class StreamClients {
  readonly #options: StreamClientsOptions;
  readonly #clients = new Set<StreamClient>();
  readonly #table: ConnectionTable<StreamClient>;
  readonly #server: Server;

  constructor(options: StreamClientsOptions) {
    const { total, perCaller, unallocated, hasAllocation } = options;
    this.#options = options;
    this.#table = new ConnectionTable({
      total,
      perCaller,
      unseated: unallocated,
      graceMs: 1000,
      stateOf: (client) => (hasAllocation(client) ? "seated" : "waiting"),
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.unref();
  }

  /** @throws the system's error when the port can't be had */
  async listen(port: number, host: string | undefined): Promise<void> {
    const listening = Promise.withResolvers<void>();
    this.#server.once("error", listening.reject);
    this.#server.listen({ port, ...(host === undefined ? {} : { host }) }, listening.resolve);
    await listening.promise;
    this.#server.off("error", listening.reject);
    // A lack of descriptors for the moment: those who are connected stay.
    this.#server.on("error", () => undefined);
  }

  /** Closes who has had time enough to ask. */
  sweep(now: number): void {
    for (const client of this.#clients) {
      const isIdle = now - client.since > WITHOUT_ALLOCATION_MS && !this.#options.hasAllocation(client);
      if (isIdle) client.destroy();
    }
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const endpoint = { address: normalizeAddress(remoteAddress), port: remotePort };
    const stream = new Stream(socket, endpoint, "the TURN client");
    const client = new StreamClient(stream, endpoint, performance.now());
    const reader = new TurnStreamReader();
    stream.onData = (chunk) => {
      if (!reader.push(chunk, (frame) => this.#options.receive(frame, client))) stream.destroy();
    };
    stream.onClosed = () => {
      this.#clients.delete(client);
      this.#table.remove(client);
      this.#options.closed(client);
    };
    this.#clients.add(client);
    const way = this.#table.add(client, callerKey(endpoint.address));
    way?.connection.destroy();
  }
}
