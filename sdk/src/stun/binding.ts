import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import { StunBuilder } from "./builder.ts";
import { StunAttribute, StunErrorCode, StunMethod } from "./constants.ts";
import { StunError } from "./errors.ts";
import type { StunMessage } from "./message.ts";
import {
  DEFAULT_TIMEOUT_MS,
  type StunOutcome,
  type StunTransactionOptions,
  StunTransactions,
  type StunTransmit,
} from "./transaction.ts";

const trace = traceOf("stun");

/** What one server said about the socket that asked. */
export interface StunBindingResult<T> {
  /** What the caller gave for this question. */
  context: T;
  /** Our address as the server saw it. */
  mapped?: Endpoint;
  /** Milliseconds from the first request to the answer. */
  rttMs?: number;
  /** The response itself: RFC 5780's attributes. */
  response?: StunMessage;
  /** Why there is no answer. */
  error?: StunError;
}

/** Options of {@link StunBindings.ask}. */
export interface StunBindingRequestOptions extends StunTransactionOptions {
  /** CHANGE-REQUEST's flags (RFC 5780): the answer comes from elsewhere. */
  change?: number;
  /** RESPONSE-PORT (RFC 5780): the answer goes to another port of ours, 1-65535. */
  responsePort?: number;
}

interface Asked<T> {
  readonly context: T;
  readonly server: Endpoint;
  /** ALTERNATE-SERVER is followed once: a server must not send us around, nor make us knock at many doors. */
  readonly redirected: boolean;
  readonly startedAt: number;
  readonly options: StunBindingRequestOptions;
}

/** Binding requests to any number of servers, without I/O: see {@link StunTransactions} for how to drive it. */
export class StunBindings<T> {
  readonly #transactions: StunTransactions<Asked<T>> = new StunTransactions();

  /** How many questions are open. */
  get size(): number {
    return this.#transactions.size;
  }

  /** Asks a server; `context` comes back with the result. `now` is in ms, as in all that follows. */
  ask(context: T, server: Endpoint, now: number, options: StunBindingRequestOptions = {}): void {
    this.#ask(
      { context, server, redirected: false, startedAt: now, options },
      now,
      options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    );
  }

  /** Forgets open questions. */
  cancel(matches: (context: T) => boolean): void {
    this.#transactions.cancel(({ context }) => matches(context));
  }

  /** A datagram that came in. @returns whether it was an answer to an open question */
  receive(data: Uint8Array, address: string, port: number, now: number): boolean {
    return this.#transactions.receive(data, address, port, now);
  }

  /** When {@link handleTimeout} has something to do, ms; null for never. */
  nextTimeout(): number | null {
    return this.#transactions.nextTimeout();
  }

  /** Repeats requests and ends those whose time is over. */
  handleTimeout(now: number): void {
    this.#transactions.handleTimeout(now);
  }

  /** Poll results first: a redirection makes another request. */
  pollTransmit(): StunTransmit | null {
    return this.#transactions.pollTransmit();
  }

  /** The next result; null when there is none. */
  pollResult(now: number): StunBindingResult<T> | null {
    for (;;) {
      const outcome = this.#transactions.pollOutcome();
      if (outcome === null) return null;
      const result = this.#judge(outcome, now);
      if (result !== null) return result;
    }
  }

  #ask(asked: Asked<T>, now: number, timeoutMs: number): void {
    const { options } = asked;
    const builder = new StunBuilder(StunMethod.BINDING, "request");
    if (options.change !== undefined) builder.uint32(StunAttribute.CHANGE_REQUEST, options.change);
    if (options.responsePort !== undefined)
      builder.uint32(StunAttribute.RESPONSE_PORT, options.responsePort * 0x1_0000);
    const request = builder.fingerprint().build();
    if (trace.on) trace.event("request", { server: asked.server, change: options.change });
    this.#transactions.start(asked, request, asked.server, now, { ...options, timeoutMs });
  }

  /** `null` when the server sent us on to another. */
  #judge(outcome: StunOutcome<Asked<T>>, now: number): StunBindingResult<T> | null {
    const { context, server, redirected, startedAt, options } = outcome.context;
    const name = formatEndpoint(server);
    if (outcome.type === "timeout") {
      if (trace.on) trace.event("timeout", { server, ms: now - startedAt, change: options.change });
      const error = new StunError("timeout", `The STUN server ${name} did not answer: it is down, or UDP is blocked.`);
      return { context, error };
    }
    const { response, rttMs } = outcome;
    if (response.class === "error") {
      const refusal = response.errorCode();
      const alternate = response.address(StunAttribute.ALTERNATE_SERVER);
      const left = (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) - (now - startedAt);
      if (refusal?.code === StunErrorCode.TRY_ALTERNATE && alternate !== null && !redirected && left > 0) {
        if (alternate.port > 0 && sameFamily(alternate, server)) {
          if (trace.on) trace.event("redirected", { server, to: alternate, ms: rttMs });
          this.#ask({ ...outcome.context, server: alternate, redirected: true }, now, left);
          return null;
        }
      }
      const stunCode = refusal?.code ?? 0;
      if (trace.on) trace.event("refused", { server, code: stunCode, reason: refusal?.reason, ms: rttMs });
      const message = `The STUN server ${name} refused: ${stunCode} ${refusal?.reason ?? "without a reason"}.`;
      return { context, rttMs, response, error: new StunError("refused", message, { stunCode }) };
    }
    const mapped = response.mappedAddress();
    if (trace.on) trace.event("answer", { server, mapped, ms: rttMs });
    if (mapped === null) {
      const error = new StunError("malformed", `The STUN server ${name} answered without an address.`);
      return { context, rttMs, response, error };
    }
    return { context, mapped, rttMs, response };
  }
}

function sameFamily(a: Endpoint, b: Endpoint): boolean {
  return a.address.includes(":") === b.address.includes(":");
}
