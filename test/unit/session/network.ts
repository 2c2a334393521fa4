/** A seeded network in simulated time (vitest's fake timers): sockets at addresses that may change, delay, loss, and whoever listens. */
import { vi } from "vitest";
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import type { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { type ConnectSessionOptions, connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer, type UDPSessionServerOptions } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";

export interface Datagram {
  data: Buffer;
  from: Endpoint;
  to: Endpoint;
  /** When it left, ms. */
  at: number;
}

const keyOf = ({ address, port }: Endpoint): string => `${address} ${port}`;

/** As much of a UDPSocket as sessions use, at an address that may change, as behind a NAT. */
export class Machine {
  readonly #network: Network;
  onDatagram: ((data: Buffer, address: string, port: number) => void) | null = null;
  endpoint: Endpoint;

  constructor(network: Network, endpoint: Endpoint) {
    this.#network = network;
    this.endpoint = endpoint;
  }

  get localPort(): number {
    return this.endpoint.port;
  }

  send(data: Uint8Array, port: number, address: string): boolean {
    this.#network.post(Buffer.from(data), this.endpoint, { address, port });
    return true;
  }

  async close(): Promise<void> {
    this.#network.machines.delete(this);
  }

  get socket(): UDPSocket {
    return this as unknown as UDPSocket;
  }
}

export class Network {
  /** One way, ms. */
  delayMs = 10;
  /** Share that is lost, 0-1. */
  loss = 0;
  readonly machines: Set<Machine> = new Set();
  /** All that was ever sent. */
  readonly sent: Datagram[] = [];
  /** Sees what is sent, and may have it for itself (false). */
  onSend: ((datagram: Datagram) => boolean | undefined) | null = null;
  readonly #random: () => number;

  constructor(seed = 1) {
    this.#random = seededRandom(seed);
  }

  machine(endpoint: Endpoint): Machine {
    const machine = new Machine(this, endpoint);
    this.machines.add(machine);
    return machine;
  }

  post(data: Buffer, from: Endpoint, to: Endpoint): void {
    const datagram = { data, from, to, at: performance.now() };
    this.sent.push(datagram);
    if (this.onSend?.(datagram) === false || this.#random() < this.loss) return;
    this.carry(datagram);
  }

  /** To whoever is at its destination when it arrives. */
  carry({ data, from, to }: Pick<Datagram, "data" | "from" | "to">): void {
    setTimeout(() => {
      for (const machine of this.machines) {
        if (keyOf(machine.endpoint) === keyOf(to)) machine.onDatagram?.(data, from.address, from.port);
      }
    }, this.delayMs);
  }

  bytesTo(to: Endpoint): number {
    return sum(this.sent.filter((each) => keyOf(each.to) === keyOf(to)));
  }

  bytesFrom(from: Endpoint): number {
    return sum(this.sent.filter((each) => keyOf(each.from) === keyOf(from)));
  }
}

const sum = (datagrams: Datagram[]): number => datagrams.reduce((bytes, { data }) => bytes + data.length, 0);

export const SERVER: Endpoint = { address: "192.0.2.1", port: 7777 };
export const HOME: Endpoint = { address: "198.51.100.1", port: 1000 };

/** A server, a client, and their session. Needs fake timers. */
export interface SimulatedSession {
  network: Network;
  host: UDPSessionServer;
  client: Session;
  server: Session;
  /** The client's. */
  machine: Machine;
}

export async function simulateSession(
  network: Network,
  options: { server?: UDPSessionServerOptions; client?: ConnectSessionOptions; timeoutSeconds?: number } = {},
): Promise<SimulatedSession> {
  const host = await UDPSessionServer.open(network.machine(SERVER).socket, options.server);
  const accepted = new Promise<Session>((resolve) => {
    host.onSession = resolve;
  });
  const { timeoutSeconds = 9 } = options;
  const token = host.createToken({ clientId: 1n, addresses: [SERVER], userData: new Uint8Array(0), timeoutSeconds });
  const machine = network.machine(HOME);
  const connecting = connectSession(token, { socket: machine.socket, timeoutMs: 0, ...options.client });
  let done = false;
  const client = connecting.finally(() => (done = true));
  const isOver = (): boolean => done;
  for (let ms = 0; ms < 5000 && !isOver(); ms += 5) await vi.advanceTimersByTimeAsync(5);
  return { network, host, client: await client, server: await accepted, machine };
}
