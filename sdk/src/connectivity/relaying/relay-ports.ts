import type { Endpoint } from "../../net/endpoint.ts";
import { readInterfaces } from "../../net/interfaces.ts";
import { UDPSocket } from "../../net/udp-socket.ts";
import type { RelaySocket } from "../../turn/server/allocation.ts";
import type { WatchedRelays } from "../../turn/server/relay-server.ts";

/** Ports that are ready before anybody asks, since a router takes a while to forward one. */
const SPARE = 3;

/** A UDP port of this machine that the internet reaches, or will. */
interface RelayPort {
  readonly socket: UDPSocket;
  /** Where it is reached; undefined while it is not. */
  readonly outside: () => Endpoint | undefined;
  isTaken: boolean;
}

export interface RelayPortsOptions {
  /** Most ports, and so most relayed addresses at a time. */
  max: number;
  /** Sees to it that the internet reaches a UDP port of this machine, and says where it does. */
  expose: (port: number) => () => Endpoint | undefined;
}

/**
 * Relayed addresses of a home: a few UDP ports, open or forwarded by the router, which are used again and again. IPv4 alone, since all
 * homes have that in common.
 */
export class RelayPorts implements WatchedRelays {
  readonly #options: RelayPortsOptions;
  readonly #ports: RelayPort[] = [];
  #own: ReadonlySet<string> = new Set();

  constructor(options: RelayPortsOptions) {
    this.#options = options;
    this.look();
  }

  /** Allocations that would be granted now. */
  get free(): number {
    return this.#free().length;
  }

  look(): void {
    const own = Object.values(readInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
    const outside = this.#ports.flatMap((port) => port.outside()?.address ?? []);
    this.#own = new Set([...own, ...outside, "127.0.0.1", "::1", "0.0.0.0", "::"]);
    this.#prepare();
  }

  has(family: 4 | 6): boolean {
    return family === 4;
  }

  isOwn(address: string): boolean {
    return this.#own.has(address);
  }

  open(
    _family: 4 | 6,
    even: boolean,
    receive: (data: Uint8Array, address: string, port: number) => void,
  ): RelaySocket | null {
    const free = this.#free().find((each) => !even || (each.outside()?.port ?? 1) % 2 === 0);
    const relayed = free?.outside();
    if (free === undefined || relayed === undefined) return null;
    free.isTaken = true;
    free.socket.onDatagram = receive;
    this.#own = new Set([...this.#own, relayed.address]);
    this.#prepare();
    return {
      relayed,
      send: (data, to, peer) => free.socket.send(data, to, peer),
      close: () => {
        free.socket.onDatagram = null;
        free.isTaken = false;
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#ports.splice(0).map(({ socket }) => socket.close()));
  }

  #free(): RelayPort[] {
    return this.#ports.filter((port) => !port.isTaken && port.outside() !== undefined);
  }

  #prepare(): void {
    const { max, expose } = this.#options;
    while (this.#ports.length < max && this.#ports.filter(({ isTaken }) => !isTaken).length < SPARE) {
      const socket = UDPSocket.tryOpen({ address: "0.0.0.0" });
      if (socket === null) return;
      this.#ports.push({ socket, outside: expose(socket.localPort), isTaken: false });
    }
  }
}
