import { addressFamily } from "../net/address.ts";
import { type Endpoint, NOWHERE } from "../net/endpoint.ts";
import { type AddressScope, addressScope } from "../net/scope.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { UnprovenAddress } from "../net/unproven-address.ts";
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

/** Of a token's addresses that are tried, and how often all but the first are: its issuer names them, and may name anybody. */
export const MAX_ADDRESSES = 8;
const OTHERS_EVERY_MS = 500;
/**
 * What a token cost its issuer at the least: 2048 bytes in Base64. All addresses together at which nothing shows that the issuer is there
 * get three times as much (RFC 9000 section 8): seven requests.
 */
const TOKEN_REPLY_BYTES = 2732;
/** The others wait for netcode's second request, which comes 100 ms after the first, or a moment sooner. */
const HEAD_START_MS = 50;
const LOCAL_SCOPES: ReadonlySet<AddressScope> = new Set(["private", "carrier-grade", "link-local"]);

/**
 * A token's addresses that may be tried: 8 at most. Private ones count only where the token's issuer was dialed at a private or loopback
 * address itself, and loopback ones only where it was dialed at a loopback address: nobody else's server reaches into our network.
 * @param dialed the issuer's address; undefined where the application vouches for the token
 */
export function dialableAddresses(addresses: readonly Endpoint[], dialed: string | undefined): Endpoint[] {
  const from = dialed === undefined ? "loopback" : addressScope(dialed);
  const isLocal = from === "loopback" || LOCAL_SCOPES.has(from);
  const allowed = addresses.filter(({ address }) => {
    const scope = addressScope(address);
    if (address === dialed) return true;
    if (scope === "loopback") return from === "loopback";
    // Reserved are `0.0.0.0`, which means this machine, and broadcast.
    return LOCAL_SCOPES.has(scope) ? isLocal : scope === "public" || scope === "documentation";
  });
  return allowed.slice(0, MAX_ADDRESSES);
}

/** The token's addresses, as ways to one server: the first has a head start, then all are asked, and the first answer stays. */
export class SocketWay implements Way {
  readonly kind = "direct";
  readonly #socket: UDPSocket;
  readonly #isOurs: boolean;
  readonly #candidates: readonly Endpoint[];
  #kept: Endpoint | null = null;
  /** Where the datagram that is being read came from. */
  #source: Endpoint = NOWHERE;
  readonly #now: () => number;
  /** The issuer's own address, which answered over TCP; undefined where the application vouches for all. */
  readonly #dialed: string | undefined;
  readonly #unproven: UnprovenAddress = new UnprovenAddress();
  #othersAt: number = Number.POSITIVE_INFINITY;
  #rounds = 0;

  /** @param now milliseconds of a monotonic clock */
  constructor(
    socket: UDPSocket | undefined,
    candidates: readonly Endpoint[],
    dialed: string | undefined,
    now: () => number,
  ) {
    this.#now = now;
    this.#dialed = dialed;
    this.#unproven.received(TOKEN_REPLY_BYTES);
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
    const now = this.#now();
    if (this.#rounds === 0) this.#othersAt = now + HEAD_START_MS;
    const round = this.#rounds;
    const toOthers = round > 0 && now >= this.#othersAt;
    if (toOthers) this.#othersAt = now + OTHERS_EVERY_MS;
    if (toOthers || round === 0) this.#rounds++;
    for (const [index, { address, port }] of this.#candidates.entries()) {
      const isProven = this.#dialed === undefined || address === this.#dialed;
      // In the others' first round the first has had its request already.
      const isDue = index === 0 ? isProven || round === 0 || (toOthers && round > 1) : toOthers;
      if (isDue && (isProven || this.#unproven.take(data.length))) this.#socket.send(data, port, address);
    }
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
