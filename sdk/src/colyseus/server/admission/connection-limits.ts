import { descriptorLimit } from "../../../net/descriptor-limit.ts";
import { checkLimits } from "./check-limits.ts";

/** What strangers may take of a server's TCP port. */
export interface ConnectionLimits {
  /**
   * Most TCP connections at once, players' WebSockets among them. Default: as many as the system lets this process have files open
   * (`ulimit -n`), less a quarter of them, 128 to 1024, for the server itself: its journal, its sockets, what routers and the game ask for.
   */
  tcpConnections?: number;
  /**
   * Most TCP connections that carry no player in a room, but for those that came within the last second. Default 1024, and no more than
   * half of `tcpConnections`. Those of a reverse proxy (see below) are not among them.
   */
  tcpConnectionsUnseated?: number;
  /**
   * Most TCP connections of one address (IPv6: of one /64) that carry no player in a room; `Infinity` is no share. Default a quarter of
   * `tcpConnectionsUnseated`, 16 at least: a class behind one NAT opens a page at once. This and the limit
   * above do not hold for this machine's own addresses and, with `trustProxy`, not for private ones: a reverse proxy stands there, behind
   * which all players are.
   */
  tcpConnectionsPerAddress?: number;
  /** How long the headers of a request may take, ms. Default 10 000. */
  headersTimeoutMs?: number;
  /** How long a request may take to arrive, body included, ms. Default 15 000. */
  requestTimeoutMs?: number;
  /** How long a WebSocket may be without a seat in a room, ms; `onAuth` runs meanwhile. Default 15 000. */
  seatTimeoutMs?: number;
}

const MAX_UNSEATED = 1024;
const LEAST_PER_ADDRESS = 16;
const HEADERS_MS = 10_000;
const REQUEST_MS = 15_000;
/** Colyseus keeps a seat for as long (`seatReservationTimeout`). */
const SEAT_MS = 15_000;
/** Descriptors that connections never get: a quarter of all, within these bounds. */
const RESERVE = { share: 1 / 4, least: 128, most: 1024 } as const;

/**
 * Fills in the defaults.
 * @param descriptors how many this process may have
 * @throws RangeError for what is no number above 0
 */
export function completeConnectionLimits(
  limits: ConnectionLimits = {},
  descriptors: number = descriptorLimit(),
): Required<ConnectionLimits> {
  checkLimits(limits);
  const { least, most, share } = RESERVE;
  const reserve = Math.min(Math.max(descriptors * share, least), most, descriptors / 2);
  const tcpConnections = limits.tcpConnections ?? Math.floor(descriptors - reserve);
  const half = Math.max(1, Math.floor(tcpConnections / 2));
  const tcpConnectionsUnseated = limits.tcpConnectionsUnseated ?? Math.min(MAX_UNSEATED, half);
  const quarter = Math.max(LEAST_PER_ADDRESS, Math.floor(tcpConnectionsUnseated / 4));
  return {
    tcpConnections,
    tcpConnectionsUnseated,
    tcpConnectionsPerAddress: limits.tcpConnectionsPerAddress ?? quarter,
    headersTimeoutMs: limits.headersTimeoutMs ?? HEADERS_MS,
    requestTimeoutMs: limits.requestTimeoutMs ?? REQUEST_MS,
    seatTimeoutMs: limits.seatTimeoutMs ?? SEAT_MS,
  };
}
