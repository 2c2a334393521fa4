import type { Endpoint } from "../net/endpoint.ts";
import { isStun, StunMessage } from "./message.ts";

/**
 * When a request is sent, in milliseconds after the start. Valve's schedule: RFC 8489's first retransmission after 500 ms
 * and doubling from there keeps a player waiting (section 6.2.1 lets an application choose).
 */
export const REALTIME_SCHEDULE_MS: readonly number[] = [0, 400, 1000, 1900, 3250];

export interface StunTransactionOptions {
  /** See {@link REALTIME_SCHEDULE_MS}, the default. */
  scheduleMs?: readonly number[];
  /** Milliseconds after the start when nobody waits for the answer any more. Default 3000. */
  timeoutMs?: number;
  /** Where the answer comes from, when not from where the request goes (RFC 5780's CHANGE-REQUEST). */
  answersFrom?: Endpoint;
  /** Whether a response is genuine, where requests carry integrity; others are ignored (RFC 8489 section 9.1.4). */
  accepts?: (response: StunMessage) => boolean;
  /** Asked before each transmission, where somebody else named the server: false keeps this one back. */
  maySend?: (bytes: number) => boolean;
}

/** A datagram to send. */
export interface StunTransmit {
  /** The datagram. */
  data: Buffer;
  /** Where it goes. */
  destination: Endpoint;
}

/** How a transaction ended. */
export type StunOutcome<T> =
  /** `rttMs` counts from the first request: with retransmissions (`attempts` > 1) it may be too long. */
  | { type: "response"; context: T; response: StunMessage; rttMs: number; attempts: number }
  | { type: "timeout"; context: T };

interface Pending<T> {
  readonly context: T;
  readonly request: Buffer;
  readonly server: Endpoint;
  readonly answersFrom: Endpoint;
  readonly startedAt: number;
  readonly deadline: number;
  readonly scheduleMs: readonly number[];
  readonly accepts: ((response: StunMessage) => boolean) | undefined;
  readonly maySend: ((bytes: number) => boolean) | undefined;
  attempts: number;
}

export const DEFAULT_TIMEOUT_MS = 3000;

/**
 * STUN transactions in flight over one socket, without the socket: requests out, retransmitted until a response with
 * their transaction id comes from the address that they went to. `T` is what the caller wants to have back.
 *
 * Call {@link pollTransmit} and {@link pollOutcome} until they give null after every {@link start}, {@link receive}
 * and {@link handleTimeout}; call the last when {@link nextTimeout} says so.
 */
export class StunTransactions<T> {
  readonly #pending: Map<string, Pending<T>> = new Map();
  readonly #transmits: StunTransmit[] = [];
  readonly #outcomes: StunOutcome<T>[] = [];

  /** How many transactions are open. */
  get size(): number {
    return this.#pending.size;
  }

  /** @param request a whole request, whose transaction id is the key */
  start(context: T, request: Buffer, server: Endpoint, now: number, options: StunTransactionOptions = {}): void {
    const pending: Pending<T> = {
      context,
      request,
      server,
      answersFrom: options.answersFrom ?? server,
      startedAt: now,
      deadline: now + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      scheduleMs: options.scheduleMs ?? REALTIME_SCHEDULE_MS,
      accepts: options.accepts,
      maySend: options.maySend,
      attempts: 0,
    };
    this.#pending.set(keyOf(request), pending);
    this.#transmitDue(pending, now);
  }

  /** Forgets what `matches`; no outcome follows. */
  cancel(matches: (context: T) => boolean): void {
    for (const [key, { context }] of this.#pending) if (matches(context)) this.#pending.delete(key);
  }

  /**
   * Looks at a datagram. `true` when it answers one of the transactions; everything else is somebody else's, also an
   * answer from another address than was asked, which may be forged.
   */
  receive(data: Uint8Array, address: string, port: number, now: number): boolean {
    if (this.#pending.size === 0 || !isStun(data)) return false;
    const key = keyOf(data);
    const pending = this.#pending.get(key);
    if (pending === undefined || pending.answersFrom.port !== port || pending.answersFrom.address !== address)
      return false;
    const response = StunMessage.decode(data);
    if (response === null || (response.class !== "success" && response.class !== "error")) return false;
    if (response.method !== methodOf(pending.request) || response.fingerprintMatches() === false) return false;
    if (pending.accepts?.(response) === false) return false;
    this.#pending.delete(key);
    const { context, startedAt, attempts } = pending;
    this.#outcomes.push({ type: "response", context, response, rttMs: now - startedAt, attempts });
    return true;
  }

  /** When {@link handleTimeout} has something to do; `null` when nothing is in flight. */
  nextTimeout(): number | null {
    let next: number | null = null;
    for (const pending of this.#pending.values()) {
      const again = pending.scheduleMs[pending.attempts];
      const at = again === undefined ? pending.deadline : Math.min(pending.deadline, pending.startedAt + again);
      if (next === null || at < next) next = at;
    }
    return next;
  }

  /** Repeats requests and ends those whose time is over. */
  handleTimeout(now: number): void {
    for (const [key, pending] of this.#pending) {
      if (now >= pending.deadline) {
        this.#pending.delete(key);
        this.#outcomes.push({ type: "timeout", context: pending.context });
      } else {
        this.#transmitDue(pending, now);
      }
    }
  }

  /** The next datagram to send; null when there is none. */
  pollTransmit(): StunTransmit | null {
    return this.#transmits.shift() ?? null;
  }

  /** The next transaction that ended; null when there is none. */
  pollOutcome(): StunOutcome<T> | null {
    return this.#outcomes.shift() ?? null;
  }

  /** One transmission for all that are due: after a pause of the process there is no burst. */
  #transmitDue(pending: Pending<T>, now: number): void {
    // The same sum as in `nextTimeout`: rounded otherwise, a time that it names could be too early for ever.
    const due = pending.scheduleMs.filter((at) => pending.startedAt + at <= now).length;
    if (due <= pending.attempts) return;
    pending.attempts = due;
    if (pending.maySend?.(pending.request.length) === false) return;
    this.#transmits.push({ data: pending.request, destination: pending.server });
  }
}

function keyOf(message: Uint8Array): string {
  return Buffer.from(message.buffer, message.byteOffset + 8, 12).toString("latin1");
}

/** Requests have no class bits, so that the type is the method's bits alone. */
function methodOf(request: Buffer): number {
  const type = request.readUInt16BE(0);
  return (type & 0x0f) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80);
}
