import { HeldBytesBudget } from "../../net/held-bytes.ts";
import type { SessionLimits } from "../../session/limits.ts";

/** What messages may take of the memory of a server, or of a player's client. */
export interface TrafficLimits {
  /**
   * Most bytes held for all players together: parts of messages that are not whole yet, messages that wait for an earlier one, and
   * what waits to be sent. When they are full, the player who holds most is disconnected with 4010 and a sentence that says so. A game
   * whose first state is large needs room for the states of all who join at once. Default 64 MiB, or twice `maxPayload` if that is more.
   */
  heldBytes?: number;
  /**
   * Most bytes that wait to be sent to one player, whose path does not take them yet; beyond, the player is disconnected with 4010 and
   * a sentence that says so. Default 32 MiB, or twice `maxPayload` if that is more.
   */
  queuedBytes?: number;
}

/** The same of a client, which knows what it may get by no option of the server. */
export interface ClientLimits extends TrafficLimits {
  /** Largest message that the server may send, bytes; more ends the connection with 1009. Default 64 MiB. */
  maxPayload?: number;
}

/** Colyseus' close code after which a client comes back by itself. */
const MAY_TRY_RECONNECT = 4010;

/** All of it, for one end. */
export type CompleteTrafficLimits = Readonly<Required<ClientLimits>>;

const MIB = 1 << 20;
/** The longest message that the wire can tell (PROTOCOL 2.4). */
const MOST_PAYLOAD = (1 << 28) - 1;
/** Colyseus' own default. */
const SERVER_PAYLOAD = 4096;
const CLIENT_PAYLOAD = 64 * MIB;
const LEAST_HELD = 64 * MIB;
const LEAST_QUEUED = 32 * MIB;
/**
 * What one player may make the server hold beside one message of the largest size: all that a sender sends ahead of a packet that is
 * missing (PROTOCOL 2.8).
 */
const SERVER_EARLY_BYTES = MIB;
/** The client trusts its server with more, for there is only one. */
const CLIENT_EARLY_BYTES = 8 * MIB;
const UNRELIABLE_BYTES = 64 * 1024;

/** @param maxPayload 0 and Infinity mean, as for `ws`, the longest that there is. Default 4096, as in Colyseus */
export function serverTraffic(maxPayload: number = SERVER_PAYLOAD, limits: TrafficLimits = {}): CompleteTrafficLimits {
  return complete(maxPayload, limits);
}

export function clientTraffic({ maxPayload = CLIENT_PAYLOAD, ...limits }: ClientLimits = {}): CompleteTrafficLimits {
  return complete(maxPayload, limits);
}

function complete(wanted: number, { heldBytes, queuedBytes }: TrafficLimits): CompleteTrafficLimits {
  const maxPayload = wanted >= 1 ? Math.min(Math.floor(wanted), MOST_PAYLOAD) : MOST_PAYLOAD;
  return {
    maxPayload,
    heldBytes: heldBytes ?? Math.max(LEAST_HELD, 2 * maxPayload),
    queuedBytes: queuedBytes ?? Math.max(LEAST_QUEUED, 2 * maxPayload),
  };
}

/** What sessions are given: each has these limits, and all have one budget. */
export type SharedLimits = Readonly<
  Required<Omit<SessionLimits, "maxUnreliableBufferedBytes" | "maxPacketBytes">> &
    Pick<SessionLimits, "maxUnreliableBufferedBytes">
>;

/** For all sessions of a server. */
export function serverSessionLimits(limits: CompleteTrafficLimits): SharedLimits {
  return sessionLimits(limits, SERVER_EARLY_BYTES);
}

/** For one session of a client. */
export function clientSessionLimits(limits: CompleteTrafficLimits): SharedLimits {
  return sessionLimits(limits, CLIENT_EARLY_BYTES);
}

function sessionLimits(limits: CompleteTrafficLimits, maxReceiveBytes: number): SharedLimits {
  return {
    maxMessageBytes: limits.maxPayload,
    maxUnreliableBytes: UNRELIABLE_BYTES,
    maxBufferedBytes: limits.queuedBytes,
    maxReceiveBytes,
    budget: new HeldBytesBudget(limits.heldBytes),
    budgetSpentCode: MAY_TRY_RECONNECT,
  };
}

/** What a player, or a server, is told whose path does not take what waits for it. */
export function describeQueueFull(waiting: number, more: number, limit: number): string {
  if (more > MOST_PAYLOAD) return `A message of ${more} bytes is longer than the ${MOST_PAYLOAD} that there can be.`;
  return `${waiting} bytes wait to be sent, and ${more} more find no room in ${limit} (limits.queuedBytes).`;
}
