import type { openTurnRelay, TurnRelay, TurnServer } from "../stun/index.ts";
import type { UDPSocket } from "../udp/udp-socket.ts";
import type { Step } from "./reachability.ts";

export interface RelayRungOptions {
  socket: UDPSocket;
  servers: readonly TurnServer[];
  signal: AbortSignal;
  open: typeof openTurnRelay;
  onStep: (step: Step) => void;
  /** There is a relay, or the one there was is lost. */
  onRelay: (relay: TurnRelay | undefined, lost: TurnRelay | undefined) => void;
}

const TIMEOUT_MS = 10_000;
/** Pauses before the next try; the last one stays. */
const RETRY_MS: readonly number[] = [1000, 2000, 5000, 15_000, 60_000];

/** The ladder's rung that always holds while a TURN server does: a relayed address, made anew when it is lost. */
export class RelayRung {
  servers: readonly TurnServer[];
  /** Resolves when the first attempt has ended, well or not. */
  readonly opened: Promise<void>;
  relay: TurnRelay | undefined;
  readonly #options: RelayRungOptions;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: RelayRungOptions) {
    this.#options = options;
    this.servers = options.servers;
    this.opened = this.#open();
  }

  async #open(): Promise<void> {
    const { socket, signal, open, onStep, onRelay } = this.#options;
    const began = performance.now();
    const ms = (): number => Math.round(performance.now() - began);
    try {
      const relay = await open({ socket, servers: this.servers, signal, timeoutMs: TIMEOUT_MS });
      if (this.#closed) {
        await relay.close();
        return;
      }
      this.relay = relay;
      this.#failures = 0;
      const { address, port } = relay.relayed;
      onStep({
        step: "turn",
        outcome: "ok",
        ms: ms(),
        reason: `${relay.server.address} relays for us at ${address}:${port}.`,
      });
      onRelay(relay, undefined);
      void relay.ended.then((error) => this.#lost(relay, error));
    } catch (error) {
      if (this.#closed || signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      onStep({ step: "turn", outcome: "failed", ms: ms(), reason: `No relay: ${reason}` });
      this.#retry();
    }
  }

  #lost(relay: TurnRelay, error: Error | null): void {
    if (this.#closed || this.relay !== relay) return;
    this.relay = undefined;
    this.#options.onRelay(undefined, relay);
    const reason = `The relay is lost: ${error?.message ?? "it was given back"}`;
    this.#options.onStep({ step: "turn", outcome: "failed", ms: 0, reason });
    this.#retry();
  }

  #retry(): void {
    const pause = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)];
    this.#timer = setTimeout(() => void this.#open(), pause).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.relay?.close();
    this.relay = undefined;
  }
}
