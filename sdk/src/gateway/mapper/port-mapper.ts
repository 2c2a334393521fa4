import { EventEmitter, setMaxListeners } from "node:events";
import { traceOf } from "../../net/trace.ts";
import { sleep, whileAwaited } from "../../net/wait.ts";
import { Gateways } from "../discovery/gateways.ts";
import { exitGuard, type Guarded } from "../exit-guard.ts";
import type { Finding, Gateway } from "../gateway.ts";
import {
  type GatewayInfo,
  type GatewayStep,
  type MappingEvent,
  type MapRequest,
  PortMapError,
  type PortMapping,
} from "../types.ts";
import { GatewayWatch } from "./gateway-watch.ts";
import { ManagedMapping, type MappingDeps, traceMapping } from "./managed-mapping.ts";
import { NoMappingError } from "./no-mapping-error.ts";
import { describeSuccess, type FullRequest, type Grant, obtain } from "./obtain.ts";
import { environmentOf, type MapOptions, type PortMapperEvents, type PortMapperOptions } from "./options.ts";

const trace = traceOf("gateway");

/** RFC 6886 section 3.3 recommends two hours. */
const DEFAULT_LIFETIME_SECONDS = 7200;
/** The longest lease that IGD:2 knows (WANIPConnection:2 section 2.3.16). */
const MAX_LIFETIME_SECONDS = 604_800;
/** Before what a router did not confirm to be gone is tried for again. */
const CLEAN_UP_AGAIN_MS = 5000;
/** Milliseconds between searches in the background while nothing is found. The last one repeats without end. */
const BACKGROUND_PAUSES_MS: readonly number[] = [2000, 5000, 10_000, 20_000, 40_000, 60_000];

/** Maps ports by whichever protocol the router speaks, and keeps them mapped. */
export class PortMapper extends EventEmitter<PortMapperEvents> implements AsyncDisposable {
  readonly #machine: string;
  readonly #gateways: Gateways;
  readonly #mappings = new Set<ManagedMapping>();
  readonly #background = new Set<Promise<void>>();
  readonly #housekeeping = new Set<Promise<void>>();
  readonly #calls = new Set<Promise<void>>();
  readonly #end = new AbortController();
  readonly #deps: MappingDeps;
  readonly #watch: GatewayWatch;
  /** Undefined where signals are left alone. */
  readonly #guarded: Guarded | undefined;
  #hurry = new AbortController();
  #watching: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PortMapperOptions = {}) {
    super();
    const { interfaces, renewIntervalMs = 300_000, watchIntervalMs = 25_000, signal, signals = true } = options;
    const isClosing = (): boolean => this.#closing !== undefined;
    if (signals) this.#guarded = { isClosing, close: () => this.close(), mappings: () => this.mappings() };
    const { clock, random, discover, keeper, ports, machine } = environmentOf(options);
    const end = this.#end.signal;
    setMaxListeners(0, end);
    this.#machine = machine;
    const isUsed = (gateway: Gateway): boolean =>
      [...this.#mappings].some(({ source, state }) => source === gateway && state === "mapped");
    this.#gateways = new Gateways({
      clock,
      discover,
      signal: end,
      isUsed,
      isWanted: () => this.#background.size > 0,
      onArrival: (gateway) => this.#housekeep(this.#cleanUp(gateway)),
    });
    const onEvent = (event: MappingEvent): void => this.#onEvent(event);
    this.#deps = { clock, random, keeper, gateways: this.#gateways, renewIntervalMs, onEvent };
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
    const full = completeRequest(request, this.#machine);
    if (this.#end.signal.aborted) throw new PortMapError("aborted", "the port mapper is closed");
    if (this.#guarded) exitGuard.add(this.#guarded);
    const { clock } = this.#deps;
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
      const mapping = obtain(this.#deps, full, both, report).then((grant) => this.#keep(full, grant, startedAt, both));
      // Behind the search: what it opens would hold the first packets up.
      this.#watching ??= this.#watch.run();
      const mapped = await whileAwaited(this.#pending(mapping));
      const { problem } = this.#deps.keeper;
      if (problem !== undefined) report({ step: "journal", outcome: "failed", reason: problem });
      return mapped;
    } catch (error) {
      if (both.aborted) throw new PortMapError("aborted", "mapping the port was broken off", { steps, cause: error });
      if (!(error instanceof NoMappingError)) throw error;
      this.#inBackground(this.#keepTrying(full, startedAt, both));
      throw new PortMapError(error.kind, error.message, { steps, code: error.code });
    }
  }

  /** Every gateway that answered and still does, once for each protocol. */
  gateways(): GatewayInfo[] {
    const infos = [...this.#gateways].map(({ info }) => info);
    const isSame = (a: GatewayInfo, b: GatewayInfo): boolean => a.via === b.via && a.address === b.address;
    return infos.filter((info, index) => infos.findIndex((each) => isSame(each, info)) === index);
  }

  /** Every mapping that is kept. */
  mappings(): PortMapping[] {
    return [...this.#mappings];
  }

  /** The network changed: looks at every mapping now, and searches again for what is not mapped. */
  refresh(reason: string = "the network changed"): void {
    this.#hurryUp();
    for (const mapping of this.#mappings) mapping.recheck(reason);
  }

  /** Gives everything back, reads back that it is gone, and closes every socket. Does not throw. */
  close(): Promise<void> {
    this.#closing ??= whileAwaited(this.#close());
    return this.#closing;
  }

  /** Closes, for `await using`: gives all ports back. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#calls);
    await Promise.all([...this.#mappings].map((mapping) => mapping.unmap()));
    await Promise.all([...this.#background, ...this.#housekeeping]);
    // What lost against another protocol, or was refused half-way.
    await this.#deps.keeper.settled();
    await this.#watching;
    await this.#gateways[Symbol.asyncDispose]();
  }

  /** A call that {@link close} waits for: what it is granted in the last moment must be given back first. */
  #pending<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    this.#calls.add(ended);
    void ended.then(() => {
      this.#calls.delete(ended);
      this.#rest();
    });
    return work;
  }

  /** Remembers work that {@link close} waits for. */
  #inBackground(work: Promise<void>): void {
    const task = work.finally(() => {
      this.#background.delete(task);
      this.#rest();
    });
    this.#background.add(task);
  }

  /** While nothing is mapped and nothing is tried, the mapper leaves signals alone. */
  #rest(): void {
    const isIdle = this.#mappings.size + this.#calls.size + this.#background.size === 0;
    if (isIdle && this.#guarded) exitGuard.delete(this.#guarded);
  }

  async #keep(request: FullRequest, grant: Grant, startedAt: number, signal: AbortSignal): Promise<ManagedMapping> {
    const { clock, keeper } = this.#deps;
    const { gateway, leases } = grant;
    if (signal.aborted) {
      for (const lease of leases) await keeper.release(gateway, lease);
      throw new PortMapError("aborted", "mapping the port was broken off");
    }
    const mapping = new ManagedMapping(this.#deps, request, grant, startedAt);
    this.#mappings.add(mapping);
    const reason = describeSuccess(grant);
    const event: MappingEvent = { event: "mapped", mapping, reason, ms: Math.round(clock.now() - startedAt) };
    if (trace.on) traceMapping(event);
    this.emit("mapped", event);
    return mapping;
  }

  async #keepTrying(request: FullRequest, startedAt: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const pauseMs = BACKGROUND_PAUSES_MS[Math.min(attempt, BACKGROUND_PAUSES_MS.length - 1)] ?? 0;
      const hurry = this.#hurry.signal;
      // The search goes on listening: a late answer ends the pause.
      await Promise.race([sleep(pauseMs, AbortSignal.any([signal, hurry]), clock), this.#gateways.arrival]);
      if (signal.aborted) return;
      try {
        const grant = await obtain(this.#deps, request, signal, () => undefined);
        await this.#keep(request, grant, startedAt, signal);
        return;
      } catch (error) {
        // The next attempt may go better.
        if (error instanceof NoMappingError || signal.aborted) continue;
        const ms = Math.round(clock.now() - startedAt);
        this.emit("step", { step: "interfaces", outcome: "failed", ms, reason: String(error) });
      }
    }
  }

  /** Removes what earlier starts left at a gateway. */
  async #cleanUp(gateway: Gateway): Promise<void> {
    const { clock, keeper } = this.#deps;
    const end = this.#end.signal;
    if (!(await keeper.cleanUpOrphans(gateway, end)) || end.aborted) return;
    await sleep(CLEAN_UP_AGAIN_MS, end, clock);
    if (!end.aborted) await keeper.cleanUpOrphans(gateway, end);
  }

  #housekeep(work: Promise<void>): void {
    const done = work.finally(() => this.#housekeeping.delete(done));
    this.#housekeeping.add(done);
  }

  #onEvent(event: MappingEvent): void {
    this.emit(event.event, event);
    if (event.event !== "unmapped") return;
    for (const mapping of this.#mappings) if (mapping === event.mapping) this.#mappings.delete(mapping);
    this.#rest();
  }

  /** A router came, or came back: what is not mapped is tried now. */
  #wakeTheLost(): void {
    this.#hurryUp();
    for (const mapping of this.#mappings) if (mapping.state === "lost") mapping.recheck("a router announced itself");
  }

  /** Ends the pauses of what is tried in the background. */
  #hurryUp(): void {
    this.#hurry.abort();
    this.#hurry = new AbortController();
  }
}

/** Checks a request and fills its defaults in. @throws {PortMapError} `invalid` */
function completeRequest(request: MapRequest, machine: string): FullRequest {
  const {
    internalPort,
    externalPort = internalPort,
    protocol,
    lifetimeSeconds = DEFAULT_LIFETIME_SECONDS,
    description = "Sallyport",
    application = description,
    family = 4,
    acceptPrivateAddress = false,
    publicAddress,
  } = request;
  const check = (isValid: boolean, rule: string, value: unknown): void => {
    if (!isValid) throw new PortMapError("invalid", `${rule}, not ${String(value)}`);
  };
  for (const [name, port] of Object.entries({ internalPort, externalPort })) {
    const isPort = Number.isInteger(port) && port >= 1 && port <= 65535;
    check(isPort, `${name} must be a whole number from 1 to 65535`, port);
  }
  check(protocol === "udp" || protocol === "tcp" || protocol === "both", "protocol must be udp, tcp or both", protocol);
  check(
    Number.isInteger(lifetimeSeconds) && lifetimeSeconds >= 0 && lifetimeSeconds <= MAX_LIFETIME_SECONDS,
    `lifetimeSeconds must be a whole number from 0 to ${MAX_LIFETIME_SECONDS}`,
    lifetimeSeconds,
  );
  return {
    internalPort,
    externalPort,
    protocol,
    lifetimeSeconds,
    description,
    application,
    family,
    acceptPrivateAddress,
    publicAddress,
    machine,
  };
}
