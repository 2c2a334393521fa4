import { TurnKeeper } from "../../turn/keeper.ts";
import { type TurnServer } from "../../turn/open.ts";
import { type TurnRelay } from "../../turn/relay.ts";
import { stopwatch } from "../clock.ts";
import type { RungContext } from "./rung.ts";

const TIMEOUT_MS = 10_000;

/** The rung that holds as long as a TURN server does: a relayed address, made anew when it is lost. */
export class RelayRung {
  servers: readonly TurnServer[];
  relay: TurnRelay | undefined;
  /** Resolves when the first attempt has ended, well or not. */
  readonly opened: Promise<void>;
  readonly #keeper: TurnKeeper;
  #mappingLifetimeSeconds: number | null = null;

  constructor(
    { socket, clock, signal, step, update }: RungContext,
    servers: readonly TurnServer[],
    onRelay: (relay: TurnRelay | undefined, lost: TurnRelay | undefined) => void,
  ) {
    this.servers = servers;
    const first = Promise.withResolvers<void>();
    this.opened = first.promise;
    let elapsedMs = stopwatch(clock);
    signal.addEventListener("abort", () => first.resolve(), { once: true });
    this.#keeper = new TurnKeeper({
      socket,
      signal,
      servers: () => this.servers,
      timeoutMs: TIMEOUT_MS,
      onRelay: (relay) => {
        this.relay = relay;
        relay.fitKeepAlive(this.#mappingLifetimeSeconds);
        const { address, port } = relay.relayed;
        step({
          step: "turn",
          outcome: "ok",
          ms: elapsedMs(),
          reason: `${relay.server.address} relays for us at ${address}:${port}.`,
        });
        onRelay(relay, undefined);
        first.resolve();
        update();
      },
      onLost: (error, retryInMs) => {
        const lost = this.relay;
        this.relay = undefined;
        const again = `; the next attempt comes in ${Math.ceil(retryInMs / 1000)} s`;
        const reason = `${lost ? "The relay is lost: " : "No relay: "}${error.message.replace(/\.$/, "")}${again}.`;
        step({ step: "turn", outcome: "failed", ms: elapsedMs(), reason });
        elapsedMs = stopwatch(clock);
        onRelay(undefined, lost);
        first.resolve();
        update();
      },
    });
  }

  /** See {@link TurnRelay.fitKeepAlive}: for the relay that stands, and all that follow. */
  fitKeepAlive(mappingLifetimeSeconds: number | null): void {
    this.#mappingLifetimeSeconds = mappingLifetimeSeconds;
    this.relay?.fitKeepAlive(mappingLifetimeSeconds);
  }

  async close(): Promise<void> {
    await this.#keeper.close();
    this.relay = undefined;
  }
}
