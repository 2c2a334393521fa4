import { type TurnKeeper } from "../../turn/keeper.ts";
import { type TurnServer } from "../../turn/open.ts";
import { type TurnRelay } from "../../turn/relay.ts";
import { stopwatch } from "../clock.ts";
import type { Findings } from "../verdict.ts";
import type { Rung, RungContext } from "./rung.ts";

const TIMEOUT_MS = 10_000;
const NONE_YET = "No TURN server is known yet, and addresses stay hidden (relayOnly): nobody can join until one is.";
const NO_SERVER =
  "No TURN server is known, and addresses stay hidden (relayOnly): nobody can join. Name one, or a lobby that has one.";

/** The rung that holds as long as a TURN server does: a relayed address, allocated again when it is lost. */
export class RelayRung implements Rung {
  readonly #context: RungContext;
  #servers: readonly TurnServer[];
  #isOpen = false;
  #keeper: Pick<TurnKeeper, "close"> | undefined;
  #relay: TurnRelay | undefined;
  #hasFailed = false;
  #mappingLifetimeSeconds: number | null = null;

  constructor(context: RungContext) {
    this.#context = context;
    this.#servers = context.options.turnServers;
  }

  /** The relay that serves now. */
  get relay(): TurnRelay | undefined {
    return this.#relay;
  }

  /** It serves, or its first attempt is under way. */
  get mayServe(): boolean {
    return this.#relay !== undefined || (this.#keeper !== undefined && !this.#hasFailed);
  }

  get findings(): Partial<Findings> {
    const { relayOnly } = this.#context.options;
    return { ...(relayOnly && { relayOnly }), relayed: this.#relay ? [{ ...this.#relay.relayed, expiresAt: 0 }] : [] };
  }

  async open(): Promise<void> {
    this.#isOpen = true;
    const { dependencies, options, signal, socket, step, update } = this.#context;
    if (this.#keeper || signal.aborted) return;
    if (this.#servers.length === 0) {
      if (options.relayOnly) step({ step: "turn", outcome: "skipped", ms: 0, reason: NONE_YET });
      return;
    }
    const firstAttempt = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => firstAttempt.resolve(), { once: true });
    let elapsedMs = stopwatch(dependencies.clock);
    this.#keeper = dependencies.createTurnKeeper({
      socket: socket(),
      signal,
      servers: () => this.#servers,
      timeoutMs: TIMEOUT_MS,
      onRelay: (relay) => {
        this.#relay = relay;
        this.#hasFailed = false;
        relay.fitKeepAlive(this.#mappingLifetimeSeconds);
        const { address, port } = relay.relayed;
        const reason = `${relay.server.address} relays for us at ${address}:${port}.`;
        step({ step: "turn", outcome: "ok", ms: elapsedMs(), reason });
        firstAttempt.resolve();
        update();
      },
      onLost: (error, retryInMs) => {
        const retry = `the next attempt comes in ${Math.ceil(retryInMs / 1000)} s`;
        const reason = `${this.#relay ? "The relay is lost: " : "No relay: "}${error.message.replace(/\.$/, "")}; ${retry}.`;
        this.#relay = undefined;
        this.#hasFailed = true;
        step({ step: "turn", outcome: "failed", ms: elapsedMs(), reason });
        elapsedMs = stopwatch(dependencies.clock);
        firstAttempt.resolve();
        update();
      },
    });
    await firstAttempt.promise;
  }

  /** Other servers, or newer credentials, from the next attempt on. A relay that serves is kept while it holds. */
  async use(servers: readonly TurnServer[]): Promise<void> {
    this.#servers = servers;
    if (servers.length === 0 && this.#context.options.relayOnly && !this.#keeper) {
      this.#context.step({ step: "turn", outcome: "absent", ms: 0, reason: NO_SERVER });
    } else if (this.#isOpen) await this.open();
  }

  /** See {@link TurnRelay.fitKeepAlive}: for the relay that serves now, and all that follow. */
  fitKeepAlive(mappingLifetimeSeconds: number | null): void {
    this.#mappingLifetimeSeconds = mappingLifetimeSeconds;
    this.#relay?.fitKeepAlive(mappingLifetimeSeconds);
  }

  async refresh(): Promise<void> {
    // The keeper notices by itself when the relay is lost.
  }

  async close(): Promise<void> {
    await this.#keeper?.close();
    this.#relay = undefined;
  }
}
