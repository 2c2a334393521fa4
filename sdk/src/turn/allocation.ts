import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { type TraceInput, traceOf } from "../net/trace.ts";
import { StunAttribute as A, StunErrorCode as Code, StunMethod } from "../stun/constants.ts";
import { keepAliveFor } from "../stun/keep-alive.ts";
import { isStun, messageType, StunMessage } from "../stun/message.ts";
import { type StunOutcome, StunTransactions } from "../stun/transaction.ts";
import {
  allocationSettings,
  type TurnAllocationOptions,
  type TurnAllocationSink,
  type TurnSettings,
} from "./allocation-options.ts";
import { LongTermAuthentication } from "./authentication.ts";
import { isChannelData } from "./channel-data.ts";
import { TurnError } from "./errors.ts";
import { describeRefusal } from "./refusal.ts";
import { buildRequest, type TurnAsk, type TurnRequest } from "./request.ts";
import { TurnTraffic } from "./traffic.ts";

const trace = traceOf("turn");

/** How far an allocation is. */
export type TurnState = "new" | "allocating" | "allocated" | "releasing" | "ended";

/**
 * Retransmissions at 200 ms, doubling, at most 1.6 s apart, as pion's: RFC 8489's default of 500 ms and 39.5 s in all keeps
 * a player waiting.
 */
const RTO_SCHEDULE_MS: readonly number[] = [0, 200, 600, 1400, 3000, 4600, 6200];
const RELIABLE_SCHEDULE_MS: readonly number[] = [0];
const REQUEST_TIMEOUT_MS = 7800;
/** The server drops the allocation by itself later; nobody waits long for its good-bye. */
const RELEASE_TIMEOUT_MS = 1000;
/** 401 and 438 in answer to one request: a challenge, its nonce going stale, and one more. */
const MAX_CHALLENGES = 3;
const RETRY_MS = 1000;
const JITTER = 0.1;
/** Whatever falls due, there is at least this much between two looks at it. */
const MIN_MAINTENANCE_MS = 10;
const DATA_INDICATION = messageType(StunMethod.DATA, "indication");
/** Refusals of a Refresh that don't mean that the allocation is gone. */
const TRANSIENT: ReadonlySet<number> = new Set([
  Code.ALLOCATION_QUOTA_REACHED,
  Code.SERVER_ERROR,
  Code.INSUFFICIENT_CAPACITY,
]);

/**
 * One allocation on a TURN server (RFC 8656), without I/O: bytes and a time in, bytes and news out by the sink.
 * Whoever drives it calls {@link handleTimeout} when {@link nextTimeout} says so, which any other call may change.
 */
export class TurnAllocation {
  /** Where requests go. */
  readonly server: Endpoint;
  readonly #settings: TurnSettings;
  readonly #lifetimeSeconds: number | undefined;
  readonly #maySend: ((bytes: number) => boolean) | undefined;
  readonly #sink: TurnAllocationSink;
  readonly #authentication: LongTermAuthentication;
  readonly #transactions: StunTransactions<TurnRequest> = new StunTransactions();
  readonly #traffic: TurnTraffic;
  #state: TurnState = "new";
  #relayed: Endpoint | null = null;
  #mapped: Endpoint | null = null;
  #expiresAt = 0;
  #refreshAt = 0;
  #refreshing = false;
  #heardAt = 0;
  #keepAliveMs: number;
  /** When the permissions, channels and the allocation itself want to be looked at again. */
  #maintainAt = Number.POSITIVE_INFINITY;

  constructor(options: TurnAllocationOptions, sink: TurnAllocationSink) {
    this.server = options.server;
    this.#settings = allocationSettings(options);
    this.#keepAliveMs = this.#settings.keepAliveMs;
    this.#lifetimeSeconds = options.lifetimeSeconds;
    this.#maySend = options.maySend;
    this.#sink = sink;
    this.#authentication = new LongTermAuthentication(options.credentials ?? null);
    this.#traffic = new TurnTraffic(this.#settings, sink, {
      request: (ask, now) => this.#request(ask, now),
      jittered: (ms) => this.#jittered(ms),
    });
  }

  /** How far it is. */
  get state(): TurnState {
    return this.#state;
  }

  /** Where peers send to; `null` before it is allocated. */
  get relayed(): Endpoint | null {
    return this.#relayed;
  }

  /** Our address as the server sees it. */
  get mapped(): Endpoint | null {
    return this.#mapped;
  }

  /** When the server drops the allocation unless it is refreshed. */
  get expiresAt(): number {
    return this.#expiresAt;
  }

  /** Asks for the allocation. `now` is in ms, as in all that follows. */
  start(now: number): void {
    if (this.#state !== "new") return;
    this.#state = "allocating";
    this.#heardAt = now;
    this.#request({ kind: "allocate" }, now);
  }

  /** Gives the allocation back; {@link TurnAllocationSink.ended} follows, at once or within a second. */
  release(now: number): void {
    if (this.#state === "releasing" || this.#state === "ended") return;
    const nothingHeld = this.#state === "new" || !this.#authentication.ready;
    this.#transactions.cancel(() => true);
    this.#maintainAt = Number.POSITIVE_INFINITY;
    if (nothingHeld && this.#relayed === null) {
      this.#end(released());
      return;
    }
    this.#state = "releasing";
    this.#request({ kind: "release" }, now);
  }

  /** Forgets all at once, for an edge whose connection is gone. */
  abandon(error: TurnError): void {
    this.#end(error);
  }

  /** Asks so often that the NAT does not forget the way to the server, but not more seldom than the options say. */
  fitKeepAlive(mappingLifetimeSeconds: number | null, now: number): void {
    this.#keepAliveMs = keepAliveFor(mappingLifetimeSeconds, this.#settings.keepAliveMs);
    this.#maintain(now);
  }

  /** Lets an address in. It lapses when nothing was sent to it or came from it for a while: call it again then. */
  permit(address: string, now: number): void {
    if (this.#state === "allocated") this.#traffic.permit(address, now);
  }

  /** Sends to a peer. `false` where there is no allocation, no way to the address, or the server has refused it. */
  send(data: Uint8Array, address: string, port: number, now: number): boolean {
    return this.#state === "allocated" && this.#traffic.send(data, address, port, now);
  }

  /** Looks at a datagram or frame. `true` when it is this allocation's, and nobody else's. Never throws. */
  receive(data: Buffer, address: string, port: number, now: number): boolean {
    if (port !== this.server.port || address !== this.server.address) return false;
    if (this.#state === "ended") return false;
    const stands = this.#state === "allocated";
    if (isChannelData(data)) {
      if (stands && this.#traffic.receiveChannelData(data, now)) this.#heardAt = now;
      return true;
    }
    if (!isStun(data)) return false;
    if (this.#transactions.receive(data, address, port, now)) {
      this.#heardAt = now;
      this.#drain(now);
      return true;
    }
    if (data.readUInt16BE(0) !== DATA_INDICATION) return false;
    const message = StunMessage.decode(data);
    if (stands && message !== null && this.#traffic.receiveIndication(message, now)) this.#heardAt = now;
    return true;
  }

  /** When {@link handleTimeout} has something to do; `null` for never. */
  nextTimeout(): number | null {
    const retransmission = this.#transactions.nextTimeout();
    if (retransmission !== null && retransmission < this.#maintainAt) return retransmission;
    return this.#maintainAt === Number.POSITIVE_INFINITY ? null : this.#maintainAt;
  }

  /** Does what is due; see {@link nextTimeout}. */
  handleTimeout(now: number): void {
    this.#transactions.handleTimeout(now);
    this.#drain(now);
    if (now >= this.#maintainAt) this.#maintain(now);
  }

  #request(ask: TurnAsk, now: number, challenges = 0): void {
    const signed = this.#authentication.ready;
    const builder = buildRequest(ask, {
      family: this.#settings.family,
      lifetimeSeconds: this.#lifetimeSeconds,
      dontFragment: this.#traffic.dontFragment,
    });
    const request = this.#authentication.sign(builder);
    if (trace.on) this.#trace("request", ask, { signed });
    this.#transactions.start({ ask, signed, challenges }, request, this.server, now, {
      scheduleMs: this.#settings.reliable ? RELIABLE_SCHEDULE_MS : RTO_SCHEDULE_MS,
      timeoutMs: ask.kind === "release" ? RELEASE_TIMEOUT_MS : REQUEST_TIMEOUT_MS,
      accepts: (response) => this.#authentication.accepts(response, signed),
      // Only what the server said can be signed with.
      ...(this.#maySend && !signed && { maySend: this.#maySend }),
    });
    this.#flush();
  }

  #flush(): void {
    for (let out = this.#transactions.pollTransmit(); out !== null; out = this.#transactions.pollTransmit()) {
      this.#sink.transmit(out.data);
    }
  }

  #drain(now: number): void {
    for (let outcome = this.#transactions.pollOutcome(); outcome !== null; outcome = this.#transactions.pollOutcome()) {
      if (this.#state === "ended") return;
      this.#judge(outcome, now);
    }
    this.#flush();
  }

  #judge(outcome: StunOutcome<TurnRequest>, now: number): void {
    const { ask, signed, challenges } = outcome.context;
    if (outcome.type === "timeout") {
      if (trace.on) this.#trace("timeout", ask);
      this.#unanswered(ask, now);
      return;
    }
    const { response, rttMs: ms } = outcome;
    if (response.class === "success") {
      if (trace.on) this.#trace("granted", ask, { lifetimeSeconds: response.uint32(A.LIFETIME), ms });
      this.#succeeded(ask, response, now - outcome.rttMs, now);
      return;
    }
    const code = response.errorCode()?.code ?? 0;
    if (code === Code.UNAUTHENTICATED || code === Code.STALE_NONCE) {
      // Requests in flight together all fail with the nonce that went stale; each is signed anew with the latest.
      if (this.#authentication.challenged(response, signed) && challenges < MAX_CHALLENGES) {
        if (trace.on) this.#trace("challenged", ask, { code, ms });
        this.#request(ask, now, challenges + 1);
        return;
      }
    }
    const error = describeRefusal(this.server, ask, response, code, this.#authentication.username);
    if (trace.on) this.#trace("refused", ask, { code, failure: error.failure, reason: error.message, ms });
    this.#failed(ask, response, error, now);
  }

  #succeeded(ask: TurnAsk, response: StunMessage, grantedAt: number, now: number): void {
    switch (ask.kind) {
      case "allocate":
        this.#granted(response, grantedAt, now);
        return;
      case "release":
        if (ask.retryAllocation === true) this.#request({ kind: "allocate", afterRelease: true }, now);
        else this.#end(released());
        return;
      case "refresh":
        this.#refreshing = false;
        this.#extend(response, grantedAt);
        break;
      case "permission":
      case "channel":
        this.#traffic.granted(ask, grantedAt);
    }
    this.#maintain(now);
  }

  #granted(response: StunMessage, grantedAt: number, now: number): void {
    const relayed = response.xorAddress(A.XOR_RELAYED_ADDRESS);
    const lifetime = response.uint32(A.LIFETIME) ?? 0;
    if (
      relayed === null ||
      relayed.port === 0 ||
      lifetime === 0 ||
      relayed.address.includes(":") !== (this.#settings.family === 6)
    ) {
      this.#end(new TurnError("malformed", `The TURN server ${this.#name()} granted no address that can be used.`));
      return;
    }
    this.#relayed = relayed;
    this.#mapped = response.mappedAddress();
    this.#state = "allocated";
    if (trace.on) trace.event("relayed", { server: this.server, relayed, mapped: this.#mapped });
    this.#extend(response, grantedAt);
    this.#maintain(now);
    this.#sink.allocated();
  }

  #extend(response: StunMessage, grantedAt: number): void {
    const lifetimeMs = (response.uint32(A.LIFETIME) ?? 0) * 1000;
    this.#expiresAt = grantedAt + lifetimeMs;
    this.#refreshAt = grantedAt + this.#jittered(lifetimeMs / 2);
  }

  #failed(ask: TurnAsk, response: StunMessage, error: TurnError, now: number): void {
    const gone = error.failure === "expired" || error.failure === "unauthorized";
    if (ask.kind === "allocate") this.#allocateFailed(ask, response, error, now);
    else if (ask.kind === "release") this.#end(ask.retryAllocation === true ? error : released());
    else if (gone) this.#end(error);
    else if (ask.kind === "refresh") {
      if (!TRANSIENT.has(error.stunCode ?? 0)) {
        this.#end(error);
        return;
      }
      this.#refreshing = false;
      this.#refreshAt = now + Math.max(RETRY_MS, (this.#expiresAt - now) / 4);
      this.#maintain(now);
    } else this.#traffic.refused(ask, error, now);
  }

  #allocateFailed(ask: TurnAsk & { kind: "allocate" }, response: StunMessage, error: TurnError, now: number): void {
    const code = error.stunCode;
    if (code === Code.UNKNOWN_ATTRIBUTE && this.#traffic.dontFragment) {
      if (response.unknownAttributes().includes(A.DONT_FRAGMENT)) {
        this.#traffic.dontFragment = false;
        this.#request({ kind: "allocate" }, now);
        return;
      }
    }
    // An allocation of this socket's past life (RFC 8656 section 7.4): with our credentials it is ours to end.
    if (code === Code.ALLOCATION_MISMATCH && ask.afterRelease !== true) {
      this.#request({ kind: "release", retryAllocation: true }, now);
      return;
    }
    this.#end(error);
  }

  #unanswered(ask: TurnAsk, now: number): void {
    switch (ask.kind) {
      case "allocate":
        this.#end(timeout(`The TURN server ${this.#name()} did not answer: it is down, or the network blocks it.`));
        return;
      case "release":
        if (ask.retryAllocation !== true) this.#end(released());
        else this.#end(timeout(`The TURN server ${this.#name()} did not take back the address of before.`));
        return;
      case "refresh":
        this.#refreshing = false;
        if (now - this.#heardAt >= this.#settings.silenceMs) {
          const seconds = Math.round((now - this.#heardAt) / 1000);
          this.#end(timeout(`The TURN server ${this.#name()} has been silent for ${seconds} s.`));
          return;
        }
        this.#refreshAt = now;
        break;
      case "permission":
      case "channel":
        this.#traffic.unanswered(ask, now);
    }
    this.#maintain(now);
  }

  /** Renews what is due, and sets the time of the next look. */
  #maintain(now: number): void {
    if (this.#state !== "allocated") return;
    if (now >= this.#expiresAt) {
      this.#end(new TurnError("expired", `The TURN server ${this.#name()} was not asked in time to keep the relay.`));
      return;
    }
    let next = this.#expiresAt;
    if (!this.#refreshing) {
      const at = Math.min(this.#refreshAt, this.#heardAt + this.#keepAliveMs);
      if (now >= at) {
        this.#refreshing = true;
        this.#request({ kind: "refresh" }, now);
      } else next = Math.min(next, at);
    }
    next = Math.min(next, this.#traffic.maintain(now));
    this.#maintainAt = Math.max(next, now + MIN_MAINTENANCE_MS);
  }

  #end(error: TurnError): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    // What was never allocated has failed, and whoever asked for it says so.
    if (trace.on && this.#relayed !== null) {
      trace.event("ended", { server: this.server, failure: error.failure, reason: error.message });
    }
    this.#maintainAt = Number.POSITIVE_INFINITY;
    this.#transactions.cancel(() => true);
    this.#sink.ended(error);
  }

  /** Somewhat earlier, so that what began together does not all fall due together. */
  #jittered(ms: number): number {
    return ms * (1 - JITTER * this.#settings.random());
  }

  #trace(event: string, ask: TurnAsk, more: TraceInput = {}): void {
    const peer = ask.kind === "permission" ? ask.permission.address : ask.kind === "channel" ? ask.peer : undefined;
    trace.event(event, { ask: ask.kind, server: this.server, peer, ...more });
  }

  #name(): string {
    return formatEndpoint(this.server);
  }
}

function released(): TurnError {
  return new TurnError("aborted", "The relayed address was given back.");
}

function timeout(message: string): TurnError {
  return new TurnError("timeout", message);
}
