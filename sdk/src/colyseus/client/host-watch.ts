import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import type { Session } from "../../session/types.ts";
import { ServerGoneError } from "./session-way.ts";

const trace = traceOf("colyseus");

const LOOK_MS = 100;
/** After an answer, and after an error that says nothing. */
const AGAIN_MS = 500;
const MAX_AGAIN_MS = 4000;
/** So often in a row nobody listens before that counts: one answer may be of a router that is being reconfigured. */
const REFUSALS = 2;

export interface HostWatchOptions {
  session: Pick<Session, "open" | "silentMs">;
  /** The run of the server that the session is with. */
  instance: string;
  /** Silence that makes us ask, ms. */
  silenceMs: number;
  /** Which run answers now. @throws ServerGoneError where nobody listens */
  ask: (signal: AbortSignal) => Promise<string>;
  /** The server that the session was with is no more. */
  onGone: (reason: string) => void;
}

/**
 * Notices a server that was killed or started again long before its session times out: when nothing has come for a second, it asks
 * over TCP who is there. Silence alone ends nothing here: a machine that sleeps, or a network with a hiccup, may come back.
 */
export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #stopping = new AbortController();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    const { session } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted && session.open) {
      if (this.#isSilent) await this.#inquire();
      else await sleep(LOOK_MS, signal);
    }
  }

  get #isSilent(): boolean {
    const { session, silenceMs } = this.#options;
    return session.open && session.silentMs >= silenceMs;
  }

  /** Asks until the session is heard again or over. One question at a time: a machine that stands still collects them. */
  async #inquire(): Promise<void> {
    const { instance, onGone, session } = this.#options;
    const { signal } = this.#stopping;
    let refusals = 0;
    for (let again = AGAIN_MS; !signal.aborted && this.#isSilent; ) {
      const answer = await this.#answer();
      if (!this.#isSilent) return;
      if (trace.on) trace.event("host-asked", { silentMs: session.silentMs, answer: describe(answer, instance) });
      refusals = answer === "gone" ? refusals + 1 : 0;
      const isOther = typeof answer === "object" && answer.instance !== instance;
      if (isOther || refusals >= REFUSALS) {
        this.stop();
        return onGone(isOther ? "the host was started again" : "the host is not there any more");
      }
      again = typeof answer === "object" ? Math.min(again * 2, MAX_AGAIN_MS) : AGAIN_MS;
      await sleep(answer === "gone" ? LOOK_MS : again, signal);
    }
  }

  /** The question is given up when the session is heard again. */
  async #answer(): Promise<{ instance: string } | "gone" | "unknown"> {
    const asking = new AbortController();
    const { signal } = this.#stopping;
    const either = AbortSignal.any([signal, asking.signal]);
    void (async () => {
      while (!either.aborted && this.#isSilent) await sleep(LOOK_MS, either);
      asking.abort();
    })();
    try {
      return { instance: await this.#options.ask(either) };
    } catch (error) {
      return error instanceof ServerGoneError ? "gone" : "unknown";
    } finally {
      asking.abort();
    }
  }
}

function describe(answer: { instance: string } | string, ours: string): string {
  if (typeof answer === "string") return answer;
  return answer.instance === ours ? "same" : "another";
}
