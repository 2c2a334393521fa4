import { EventEmitter, setMaxListeners } from "node:events";
import { sleep, whileAwaited } from "../net/wait.ts";
import type { Finding } from "./discovery.ts";
import { giveBack, type Held } from "./establish.ts";
import type { Gateway } from "./gateway.ts";
import { GatewayWatch } from "./gateway-watch.ts";
import { Gateways } from "./gateways.ts";
import { ManagedMapping, type MappingHost } from "./managed-mapping.ts";
import { obtain } from "./obtain.ts";
import {
  environmentOf,
  type MapOptions,
  type PortMapperEnvironment,
  type PortMapperEvents,
  type PortMapperOptions,
} from "./options.ts";
import { completeRequest, type FullRequest } from "./request.ts";
import { type GatewayInfo, type GatewayStep, type MapRequest, PortMapError, type PortMapping } from "./types.ts";
import { Verdict } from "./verdict.ts";

/** Between searches in the background while nothing was found. */
const BACKGROUND: readonly number[] = [2000, 5000, 10_000, 20_000, 40_000, 60_000];

/** Maps ports by whichever protocol the router speaks, and keeps them mapped. */
export class PortMapper extends EventEmitter<PortMapperEvents> implements AsyncDisposable {
  readonly #environment: PortMapperEnvironment;
  readonly #gateways: Gateways;
  readonly #mappings = new Set<ManagedMapping>();
  readonly #background = new Set<Promise<void>>();
  readonly #calls = new Set<Promise<void>>();
  readonly #end = new AbortController();
  readonly #host: MappingHost;
  readonly #watch: GatewayWatch;
  #hurry = new AbortController();
  #watching: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PortMapperOptions = {}) {
    super();
    const { interfaces, renewIntervalMs = 300_000, watchIntervalMs = 30_000, signal } = options;
    this.#environment = environmentOf(options);
    const { clock, random, discover, keeper, ports } = this.#environment;
    const end = this.#end.signal;
    setMaxListeners(0, end);
    const isUsed = (gateway: Gateway): boolean =>
      [...this.#mappings].some(({ source, state }) => source === gateway && state === "mapped");
    this.#gateways = new Gateways({
      clock,
      discover,
      signal: end,
      isUsed,
      isWanted: () => this.#background.size > 0,
      onArrival: (gateway) => this.#inBackground(keeper.welcome(gateway, end)),
    });
    this.#host = {
      clock,
      random,
      keeper,
      renewIntervalMs,
      obtain: (request, until, preferred) => this.#obtain(request, until, () => undefined, preferred),
      distrust: (gateway) => this.#gateways.drop(gateway),
      announce: (event) => this.emit(event.event, event),
      ended: (mapping) => this.#mappings.delete(mapping),
    };
    this.#watch = new GatewayWatch({
      clock,
      random,
      ports,
      interfaces,
      watchIntervalMs,
      signal: end,
      gateways: this.#gateways,
      mappings: this.#mappings,
      isUsed,
      onReturn: () => this.#wakeTheLost(),
      onChange: (reason) => this.refresh(reason),
    });
    if (signal?.aborted) void this.close();
    else signal?.addEventListener("abort", () => void this.close(), { once: true, signal: end });
  }

  /**
   * Maps a port. Resolves when it is mapped; the mapping then lives until it is unmapped or the mapper closes.
   * @throws {PortMapError} with every step that was tried. Unless the request is wrong or the signal aborted, the mapper
   * goes on trying in the background, and emits `mapped` when it succeeds.
   */
  async map(request: MapRequest, { signal, onStep }: MapOptions = {}): Promise<PortMapping> {
    const full = completeRequest(request, this.#environment.machine);
    if (this.#end.signal.aborted) throw new PortMapError("aborted", "the port mapper is closed");
    this.#watching ??= this.#watch.run();
    const { clock } = this.#environment;
    const startedAt = clock.now();
    const both = signal ? AbortSignal.any([signal, this.#end.signal]) : this.#end.signal;
    const steps: GatewayStep[] = [];
    const report = (finding: Finding): void => {
      const step: GatewayStep = { ...finding, ms: Math.round(clock.now() - startedAt) };
      steps.push(step);
      onStep?.(step);
      this.emit("step", step);
    };
    try {
      const mapping = this.#obtain(full, both, report).then((held) => this.#keep(full, held, startedAt, both));
      return await whileAwaited(this.#pending(mapping));
    } catch (error) {
      if (both.aborted) throw new PortMapError("aborted", "mapping the port was broken off", { steps, cause: error });
      if (!(error instanceof Verdict)) throw error;
      this.#inBackground(this.#keepTrying(full, startedAt, both));
      throw new PortMapError(error.kind, error.message, { steps, code: error.code });
    }
  }

  /** Every gateway that answered and still does. */
  gateways(): GatewayInfo[] {
    return [...this.#gateways].map(({ info }) => info);
  }

  /** Every mapping that is kept. */
  mappings(): PortMapping[] {
    return [...this.#mappings];
  }

  /** The network changed: looks at every mapping now, and searches again for what is not mapped. */
  refresh(reason: string = "the network changed"): void {
    this.#hurryUp();
    for (const mapping of this.#mappings) mapping.doubt(reason);
  }

  /** Gives everything back, reads back that it is gone, and closes every socket. Does not throw. */
  close(): Promise<void> {
    this.#closing ??= whileAwaited(this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#calls);
    await Promise.all([...this.#mappings].map((mapping) => mapping.unmap()));
    await Promise.all(this.#background);
    await this.#watching;
    await this.#gateways[Symbol.asyncDispose]();
  }

  /** A call that {@link close} waits for: what it was granted in the last moment must be given back first. */
  #pending<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    this.#calls.add(ended);
    void ended.then(() => this.#calls.delete(ended));
    return work;
  }

  /** Remembers work that {@link close} waits for. */
  #inBackground(work: Promise<void>): void {
    const task = work.finally(() => this.#background.delete(task));
    this.#background.add(task);
  }

  async #keep(request: FullRequest, held: Held, startedAt: number, signal: AbortSignal): Promise<ManagedMapping> {
    if (signal.aborted) {
      for (const lease of held.leases) await giveBack(held.gateway, lease, this.#environment.keeper);
      throw new PortMapError("aborted", "mapping the port was broken off");
    }
    const mapping = new ManagedMapping(this.#host, request, held, startedAt);
    this.#mappings.add(mapping);
    const { clock } = this.#environment;
    const { name } = held.gateway.info;
    this.emit("mapped", {
      event: "mapped",
      mapping,
      reason: `${name} forwards the port`,
      ms: Math.round(clock.now() - startedAt),
    });
    return mapping;
  }

  async #keepTrying(request: FullRequest, startedAt: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#environment;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const pause = BACKGROUND[Math.min(attempt, BACKGROUND.length - 1)] ?? 0;
      const hurry = this.#hurry.signal;
      // The search goes on listening: a late answer ends the pause.
      await Promise.race([sleep(pause, AbortSignal.any([signal, hurry]), clock), this.#gateways.arrival]);
      if (signal.aborted) return;
      try {
        const held = await this.#obtain(request, signal, () => undefined);
        await this.#keep(request, held, startedAt, signal);
        return;
      } catch (error) {
        // Whatever it was, the next attempt may go better; nobody is there to hear of it.
        if (error instanceof Verdict || signal.aborted) continue;
        this.emit("step", {
          step: "interfaces",
          outcome: "failed",
          ms: Math.round(clock.now() - startedAt),
          reason: String(error),
        });
      }
    }
  }

  #obtain(
    request: FullRequest,
    signal: AbortSignal,
    report: (finding: Finding) => void,
    preferred?: number,
  ): Promise<Held> {
    const { clock, keeper } = this.#environment;
    return obtain({ clock, keeper, gateways: this.#gateways }, request, signal, report, preferred);
  }

  /** A router is there that was not: what is not mapped is tried now. */
  #wakeTheLost(): void {
    this.#hurryUp();
    for (const mapping of this.#mappings) if (mapping.state === "lost") mapping.doubt("a router announced itself");
  }

  /** Ends the pauses of what is tried in the background. */
  #hurryUp(): void {
    this.#hurry.abort();
    this.#hurry = new AbortController();
  }
}
