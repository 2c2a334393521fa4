import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { generateConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import type { NetcodeClientState, NetcodeDisconnectReason } from "../../../sdk/src/netcode/types.ts";
import { Random } from "./random.ts";

export const PROTOCOL_ID = 0x5a11_7907n;
/** Seconds, of tokens and of what servers allow. Servers that allow less let the simulator find a replay after a restart. */
export const MAX_LIFETIME = 45;
export const UNIX_START = 1_800_000_000;

export interface Weather {
  loss: number;
  duplication: number;
  /** ms; datagrams overtake each other within it. */
  delay: number;
}
export const CALM: Weather = { loss: 0, duplication: 0, delay: 1 };

interface Flight {
  at: number;
  from: Endpoint;
  to: Endpoint;
  data: Uint8Array;
}

export interface SimServer {
  endpoint: Endpoint;
  server: NetcodeServer;
  /** ms added to the world's time: this machine's clock. */
  skew: number;
  reasons: Set<NetcodeDisconnectReason>;
}

export interface SimClient {
  endpoint: Endpoint;
  client: NetcodeClient;
  clientId: bigint;
  skew: number;
  token: Uint8Array | null;
  /** Counts `connect`, so that payloads tell which connection they were sent on. */
  connection: number;
  sent: number;
}

/** Servers, clients and a bad network in one process, on one seed and one clock. */
export class World {
  readonly random: Random;
  readonly servers: SimServer[] = [];
  readonly clients: SimClient[] = [];
  readonly privateKey: Uint8Array;
  readonly transitions: Set<string> = new Set();
  /** Everything sent lately, for whoever wants to replay it. */
  readonly captured: Flight[] = [];
  /** Payloads that arrived, in either direction. */
  payloads = 0;
  weather: Weather = CALM;
  /** ms. */
  time = 1000;
  #flights: Flight[] = [];
  #delivered: Set<string> = new Set();
  #replyBytes = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.privateKey = this.random.bytes(32);
  }

  unixSeconds(skew = 0): number {
    return UNIX_START + Math.floor((this.time + skew) / 1000);
  }

  addServer(maxClients: number, options: { oneTokenPerClient?: boolean } = {}): SimServer {
    const endpoint = { address: `192.0.2.${this.servers.length + 1}`, port: 7777 };
    const reasons = new Set<NetcodeDisconnectReason>();
    const server = new NetcodeServer(
      {
        protocolId: PROTOCOL_ID,
        privateKey: this.privateKey,
        address: endpoint,
        maxClients,
        maxTokenLifetimeSeconds: MAX_LIFETIME,
        random: this.random.draw,
        ...options,
      },
      {
        send: (data, address, port) => {
          this.#replyBytes += data.length;
          this.post(endpoint, { address, port }, data);
        },
        clientConnected: () => {},
        clientDisconnected: (_client, reason) => reasons.add(reason),
        payload: (client, data) => {
          const text = Buffer.from(data).toString();
          if (!text.startsWith(`${client.clientId}/`)) throw new Error(`payload of another: ${text}`);
          this.#once(`${endpoint.address} ${text}`);
        },
      },
    );
    server.start(this.time, this.unixSeconds());
    const added = { endpoint, server, skew: 0, reasons };
    this.servers.push(added);
    return added;
  }

  addClient(): SimClient {
    const number = this.clients.length;
    const endpoint = { address: `198.51.100.${number + 1}`, port: 50_000 + number };
    const added: SimClient = {
      endpoint,
      client: new NetcodeClient({
        send: (data, address, port) => this.post(endpoint, { address, port }, data),
        stateChanged: (state, previous) => this.transitions.add(transition(previous, state)),
        payload: (data) => this.#once(`client ${number} ${Buffer.from(data).toString()}`),
      }),
      clientId: BigInt(number + 1),
      skew: 0,
      token: null,
      connection: 0,
      sent: 0,
    };
    this.clients.push(added);
    return added;
  }

  token(clientId: bigint, addresses: Endpoint[], timeoutSeconds: number, expireSeconds: number): Uint8Array {
    return generateConnectToken({
      protocolId: PROTOCOL_ID,
      privateKey: this.privateKey,
      clientId,
      publicAddresses: addresses,
      timeoutSeconds,
      expireSeconds,
      unixSeconds: this.unixSeconds(),
      random: this.random.draw,
    });
  }

  connect(target: SimClient, token: Uint8Array): void {
    target.token = token;
    target.connection++;
    target.client.connect(token, this.time + target.skew);
  }

  /** Client to server. The payload names its sender, connection and number, so that a second arrival is seen. */
  speak(from: SimClient): boolean {
    const text = `${from.clientId}/${from.endpoint.port}/${from.connection}/${from.sent++}/${"x".repeat(this.random.below(300))}`;
    return from.client.send(Buffer.from(text), this.time + from.skew);
  }

  post(from: Endpoint, to: Endpoint, data: Uint8Array): void {
    const { loss, duplication, delay } = this.weather;
    this.captured.push({ at: this.time, from, to, data: data.slice() });
    if (this.captured.length > 64) this.captured.shift();
    for (let copies = this.random.chance(duplication) ? 2 : 1; copies > 0; copies--) {
      if (this.random.chance(loss)) continue;
      this.#flights.push({ at: this.time + 1 + this.random.below(delay), from, to, data: data.slice() });
    }
  }

  /** Hands a datagram over now. Checks what must hold whatever it is. */
  deliver(from: Endpoint, to: Endpoint, data: Uint8Array): void {
    const client = this.clients.find(({ endpoint }) => same(endpoint, to));
    if (client) client.client.receive(data, from.address, from.port, this.time + client.skew);
    const at = this.servers.find(({ endpoint }) => same(endpoint, to));
    if (!at) return;
    this.#replyBytes = 0;
    at.server.receive(data, from.address, from.port, this.time + at.skew, this.unixSeconds(at.skew));
    if (this.#replyBytes > 0.31 * data.length) throw new Error(`${this.#replyBytes} bytes answer ${data.length}`);
  }

  /** Lets `ms` pass: datagrams arrive and timers fire, each at its time. */
  run(ms: number): void {
    const end = this.time + ms;
    while (this.time < end) {
      const arrival = this.#flights.reduce((soonest, { at }) => Math.min(soonest, at), end);
      let timer = end;
      for (const { server, skew } of this.servers) {
        timer = Math.min(timer, server.nextUpdate(this.time + skew) - skew);
      }
      for (const { client, skew } of this.clients) {
        timer = Math.min(timer, client.nextUpdate(this.time + skew) - skew);
      }
      // A timer that fires without anything to do would show here as a world that stands still.
      this.time = Math.max(Math.min(arrival, timer), this.time + 0.25);
      const due = this.#flights.filter(({ at }) => at <= this.time);
      this.#flights = this.#flights.filter(({ at }) => at > this.time);
      for (const { from, to, data } of due) this.deliver(from, to, data);
      for (const { server, skew } of this.servers) server.update(this.time + skew);
      for (const { client, skew } of this.clients) client.update(this.time + skew);
      this.checkServers();
    }
  }

  /** Slots, ids and addresses are each held by one client. */
  checkServers(): void {
    for (const { server } of this.servers) {
      const { clients } = server;
      if (clients.length > server.maxClients) throw new Error("more clients than slots");
      for (const names of [
        clients.map(({ index }) => String(index)),
        clients.map(({ clientId }) => String(clientId)),
        clients.map(({ address, port }) => `${address} ${port}`),
      ]) {
        if (new Set(names).size !== names.length) throw new Error(`held twice: ${names.join(", ")}`);
      }
      for (const client of clients) {
        if (server.client(client.index) !== client) throw new Error("slot and list differ");
        if (server.clientById(client.clientId) !== client) throw new Error("id and list differ");
      }
    }
  }

  stop(): void {
    for (const { client, skew } of this.clients) client.disconnect(this.time + skew);
    for (const { server, skew } of this.servers) server.stop(this.time + skew);
  }

  #once(payload: string): void {
    if (this.#delivered.has(payload)) throw new Error(`delivered twice: ${payload}`);
    this.#delivered.add(payload);
    this.payloads++;
  }
}

export function transition(from: NetcodeClientState, to: NetcodeClientState): string {
  return `${from} -> ${to}`;
}

function same(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address;
}
