import { randomInt } from "node:crypto";
import { addressFamily } from "../../net/address.ts";
import { readInterfaces } from "../../net/interfaces.ts";
import { UDPSocket } from "../../net/udp-socket.ts";
import type { RelaySocket } from "./allocation.ts";
import type { RelaySockets } from "./core.ts";

export interface UDPRelaysOptions {
  /** The relayed addresses, at most one of each family: public addresses of this machine, or those that a 1:1 NAT maps to it. */
  addresses: readonly string[];
  /** The ports of relayed addresses, both included. */
  ports: readonly [number, number];
}

/** Ports that are tried before there is none left. */
const TRIES = 32;

/** Relayed addresses on UDP sockets of this machine. */
export class UDPRelays implements RelaySockets {
  readonly #options: UDPRelaysOptions;
  #own: ReadonlySet<string> = new Set();

  constructor(options: UDPRelaysOptions) {
    this.#options = options;
    this.look();
  }

  /** Looks which addresses this machine has now. */
  look(): void {
    const own = Object.values(readInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
    this.#own = new Set([...own, ...this.#options.addresses, "127.0.0.1", "::1", "0.0.0.0", "::"]);
  }

  has(family: 4 | 6): boolean {
    return this.#addressOf(family) !== undefined;
  }

  isOwn(address: string): boolean {
    return this.#own.has(address);
  }

  open(
    family: 4 | 6,
    even: boolean,
    receive: (data: Uint8Array, address: string, port: number) => void,
  ): RelaySocket | null {
    const address = this.#addressOf(family);
    if (address === undefined) return null;
    // Behind a 1:1 NAT the public address is on no interface.
    const local = this.#isLocal(address) ? address : family === 4 ? "0.0.0.0" : "::";
    const [first, last] = this.#options.ports;
    for (let i = 0; i < TRIES; i++) {
      // Random, so that nobody off the path knows where to send (RFC 8656 section 7.2).
      const port = randomInt(first, last + 1);
      if (even && port % 2 !== 0) continue;
      const socket = UDPSocket.tryOpen({ address: local, port });
      if (socket === null) continue;
      socket.onDatagram = receive;
      return {
        relayed: { address, port },
        send: (data, to, peer) => socket.send(data, to, peer),
        close: () => void socket.close(),
      };
    }
    return null;
  }

  #addressOf(family: 4 | 6): string | undefined {
    return this.#options.addresses.find((address) => addressFamily(address) === family);
  }

  #isLocal(address: string): boolean {
    return Object.values(readInterfaces()).some((addresses) => addresses?.some((own) => own.address === address));
  }
}
