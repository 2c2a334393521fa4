import { traceOf } from "../net/trace.ts";
import { sleep } from "../net/wait.ts";
import { StunErrorCode } from "../stun/constants.ts";
import { TurnError } from "./errors.ts";
import { type OpenTurnRelayOptions, openTurnRelay, type TurnServer } from "./open.ts";
import type { TurnRelay } from "./relay.ts";

const trace = traceOf("turn");

/** Options of a {@link TurnKeeper}. */
export interface TurnKeeperOptions extends Omit<OpenTurnRelayOptions, "servers"> {
  /** The servers; a function is asked before each attempt, so that short-lived credentials are fresh. */
  servers: readonly TurnServer[] | ((signal: AbortSignal) => readonly TurnServer[] | Promise<readonly TurnServer[]>);
  /** A relay is there: the first, or one that takes the place of one lost. Its address is another then. */
  onRelay: (relay: TurnRelay) => void;
  /** There is no relay, since this attempt failed or the relay was lost; the next attempt comes after `retryInMs`. */
  onLost?: (error: TurnError, retryInMs: number) => void;
  /** Of the waiting time before the first repetition; it doubles up to `maxBackoffMs`. Default 1000 ms. */
  backoffMs?: number;
  /** The longest waiting time, also after an answer that asks for patience (RFC 8656 section 7.4). Default 60 000 ms. */
  maxBackoffMs?: number;
}

const MAX_BACKOFF_MS = 60_000;
/** RFC 8656 section 7.4: who is refused so waits a minute before asking again. Wrong credentials don't heal faster. */
const PATIENT: ReadonlySet<number> = new Set([
  StunErrorCode.UNAUTHENTICATED,
  StunErrorCode.FORBIDDEN,
  StunErrorCode.WRONG_CREDENTIALS,
  StunErrorCode.ALLOCATION_QUOTA_REACHED,
  StunErrorCode.INSUFFICIENT_CAPACITY,
]);

/** Sees to it that there is a relay: allocates again, ever more patiently, when one fails or is lost. */
export class TurnKeeper implements AsyncDisposable {
  readonly #options: TurnKeeperOptions;
  readonly #over: AbortController = new AbortController();
  readonly #work: Promise<void>;
  #relay: TurnRelay | null = null;

  constructor(options: TurnKeeperOptions) {
    this.#options = options;
    const { signal } = options;
    const stop = (): void => this.#over.abort(signal?.reason);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
    this.#work = this.#run().finally(() => signal?.removeEventListener("abort", stop));
  }

  /** The one that serves now. */
  get relay(): TurnRelay | null {
    return this.#relay;
  }

  /** Gives the relay back, and makes no other. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#work;
  }

  /** Stops and gives the relay back, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const { servers, onRelay, onLost, backoffMs = 1000, maxBackoffMs = MAX_BACKOFF_MS } = this.#options;
    const { signal } = this.#over;
    let failures = 0;
    while (!signal.aborted) {
      const error = await this.#serve(servers, (relay) => {
        failures = 0;
        onRelay(relay);
      });
      if (error === null || signal.aborted) return;
      const backoff = PATIENT.has(error.stunCode ?? 0)
        ? maxBackoffMs
        : Math.min(maxBackoffMs, backoffMs * 2 ** failures);
      failures++;
      const retryInMs = backoff * (0.75 + Math.random() / 2);
      if (trace.on) trace.event("retry", { failure: error.failure, code: error.stunCode, retryInMs });
      onLost?.(error, retryInMs);
      await sleep(retryInMs, signal);
    }
  }

  /** One relay, from its making to its end. */
  async #serve(servers: TurnKeeperOptions["servers"], onRelay: (relay: TurnRelay) => void): Promise<TurnError | null> {
    const { signal } = this.#over;
    const giveBack = (): void => void this.#relay?.close();
    try {
      const list = typeof servers === "function" ? await servers(signal) : servers;
      const relay = await openTurnRelay({ ...this.#options, servers: list, signal });
      this.#relay = relay;
      if (signal.aborted) giveBack();
      else signal.addEventListener("abort", giveBack, { once: true });
      onRelay(relay);
      return await relay.ended;
    } catch (error) {
      if (error instanceof TurnError) return error;
      return new TurnError("aborted", `The TURN servers could not be learnt: ${String(error)}.`, { cause: error });
    } finally {
      signal.removeEventListener("abort", giveBack);
      this.#relay = null;
    }
  }
}
