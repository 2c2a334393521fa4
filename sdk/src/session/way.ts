import { addressFamily } from "../net/address.ts";
import { type Endpoint, NOWHERE } from "../net/endpoint.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import type { SessionPath, SessionPathKind, SessionPathPair } from "./path.ts";

/** How a client's datagrams get to its server and back. */
export interface Way {
  /** Where it leads, or is tried first. */
  readonly remote: Endpoint;
  readonly kind: SessionPathKind;
  pairs?(): readonly SessionPathPair[];
  open(receive: (data: Buffer) => void, moved: () => void): void;
  send(data: Uint8Array): void;
  /** What is being received proves that the server is at its other end. */
  keep(): void;
  close(): void;
}

/** Game updates come in bursts, and a burst that overruns the system's default buffer is loss. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

/** The token's addresses, as ways to one server: the first has a head start, then all are asked, and the first answer stays. */
export class SocketWay implements Way {
  readonly kind = "direct";
  readonly #socket: UDPSocket;
  readonly #isOurs: boolean;
  readonly #candidates: readonly Endpoint[];
  #kept: Endpoint | null = null;
  /** Where the datagram that is being read came from. */
  #source: Endpoint = NOWHERE;
  #sent = 0;

  constructor(socket: UDPSocket | undefined, candidates: readonly Endpoint[]) {
    this.#socket = socket ?? openSocket(candidates);
    this.#isOurs = socket === undefined;
    this.#candidates = candidates;
  }

  get remote(): Endpoint {
    return this.#kept ?? this.#candidates[0] ?? NOWHERE;
  }

  open(receive: (data: Buffer) => void): void {
    this.#socket.onDatagram = (data, address, port) => {
      const kept = this.#kept;
      if (kept) {
        if (port === kept.port && address === kept.address) receive(data);
        return;
      }
      const source = this.#candidates.find((each) => each.port === port && each.address === address);
      if (!source) return;
      this.#source = source;
      receive(data);
    };
  }

  send(data: Uint8Array): void {
    const kept = this.#kept;
    if (kept) {
      this.#socket.send(data, kept.port, kept.address);
      return;
    }
    const ways = this.#sent++ === 0 ? this.#candidates.slice(0, 1) : this.#candidates;
    for (const { address, port } of ways) this.#socket.send(data, port, address);
  }

  keep(): void {
    this.#kept = this.#source;
  }

  close(): void {
    this.#socket.onDatagram = null;
    if (this.#isOurs) void this.#socket.close();
  }
}

/** Of the servers' family, if they have one in common: a dual-stack socket costs more per packet. */
function openSocket(servers: readonly Endpoint[]): UDPSocket {
  const address = servers.every((server) => addressFamily(server.address) === 4) ? "0.0.0.0" : "*";
  return UDPSocket.open({ address, receiveBufferSize: RECEIVE_BUFFER_BYTES });
}

/** A path that finds its ways itself. */
export class PathWay implements Way {
  readonly #path: SessionPath;

  constructor(path: SessionPath) {
    this.#path = path;
  }

  get remote(): Endpoint {
    return this.#path.path?.remote ?? NOWHERE;
  }

  get kind(): SessionPathKind {
    return this.#path.path?.kind ?? "direct";
  }

  pairs(): readonly SessionPathPair[] {
    return this.#path.pairs?.() ?? [];
  }

  open(receive: (data: Buffer) => void, moved: () => void): void {
    this.#path.onData = receive;
    this.#path.onPath = moved;
  }

  send(data: Uint8Array): void {
    this.#path.send(data);
  }

  keep(): void {}

  close(): void {
    this.#path.close();
  }
}
