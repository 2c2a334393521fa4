import { EventEmitter, setMaxListeners } from "node:events";
import { type Announcement, AnnouncementListener } from "./announcements.ts";
import { type Clock, delay, systemClock, whileAwaited } from "./clock.ts";
import { discoverGateways } from "./discover.ts";
import type { Discover, Finding } from "./discovery.ts";
import {
  CarelessKeeper,
  establishAt,
  type FullRequest,
  giveBack,
  type Held,
  isKnownToBePrivate,
  type LeaseKeeper,
} from "./establish.ts";
import { type Gateway, GatewayError } from "./gateway.ts";
import { defaultRoutes, type LocalInterface, usableInterfaces } from "./interfaces.ts";
import { stateDirectory } from "./journal/journal.ts";
import { JournalKeeper } from "./journal/keeper.ts";
import { KnownRouters } from "./journal/known-routers.ts";
import { ManagedMapping, type MappingHost } from "./managed-mapping.ts";
import { NetworkWatch } from "./network-watch.ts";
import { machineId } from "./ports.ts";
import { Round } from "./round.ts";
import {
  type GatewayInfo,
  type GatewayStep,
  type MappingEvent,
  type MapRequest,
  PortMapError,
  type PortMapping,
  type Via,
} from "./types.ts";
import { describeSuccess, Verdict, verdict } from "./verdict.ts";

export interface PortMapperOptions {
  /** Protocols to use, default all. */
  via?: readonly Via[] | undefined;
  /** Addresses to ask from, default all usable ones of this machine. */
  interfaces?: readonly LocalInterface[] | undefined;
  /** Milliseconds between two looks at the gateway's table, default 300 000. */
  renewIntervalMs?: number | undefined;
  /** Milliseconds between two signs of life asked of a gateway that holds a mapping, default 30 000. */
  watchIntervalMs?: number | undefined;
  /**
   * Remembers mappings on disk, so that the next start removes what a crash left, and where routers were met, so that it
   * finds them sooner: `true` (default) in the user's state directory, or a directory, or `false`.
   */
  journal?: boolean | string | undefined;
  /** Closes the mapper. */
  signal?: AbortSignal | undefined;
  /** What the mapper stands on; for tests. */
  environment?: Partial<PortMapperEnvironment> | undefined;
}

export interface PortMapperEnvironment {
  clock: Clock;
  /** 0 <= n < 1. */
  random: () => number;
  discover: Discover;
  keeper: LeaseKeeper;
  /** Seeds the alternative ports. */
  machine: string;
  /** Where gateways and we listen: default 1900 for SSDP, 5351 for PCP and NAT-PMP, 5350 for what they announce. */
  ports: { ssdp?: number; portControl?: number; announcements?: number };
}

export interface PortMapperEvents {
  mapped: [MappingEvent];
  renewed: [MappingEvent];
  changed: [MappingEvent];
  lost: [MappingEvent];
  unmapped: [MappingEvent];
  step: [GatewayStep];
}

export interface MapOptions {
  /** Gives up, also the trying in the background after a "no gateway" verdict. */
  signal?: AbortSignal | undefined;
  onStep?: ((step: GatewayStep) => void) | undefined;
}

const DEFAULT_LIFETIME = 7200;
/** The longest lease that IGD:2 knows (WANIPConnection:2 section 2.3.16). */
const MAX_LIFETIME = 604_800;
/** A slow gateway is not waited for when another one could be asked. */
const HEDGE_AFTER = 1000;
/** Late answers to a search are listened for so long, and longer only while something is not mapped. */
const LINGER = 3000;
/** RFC 6887 section 14.1.2. */
const MAX_ANNOUNCE_DELAY = 5000;
/** Between searches in the background while nothing was found. */
const BACKGROUND: readonly number[] = [2000, 5000, 10_000, 20_000, 40_000, 60_000];

/** Maps ports by whichever protocol the router speaks, and keeps them mapped. */
export class PortMapper extends EventEmitter<PortMapperEvents> implements AsyncDisposable {
  readonly #environment: PortMapperEnvironment;
  readonly #renewIntervalMs: number;
  readonly #watchIntervalMs: number;
  readonly #gateways = new Map<string, Gateway>();
  readonly #mappings = new Set<ManagedMapping>();
  readonly #background = new Set<Promise<void>>();
  readonly #calls = new Set<Promise<void>>();
  readonly #end = new AbortController();
  readonly #host: MappingHost;
  #round: Round | undefined;
  #arrival = Promise.withResolvers<void>();
  #hurry = new AbortController();
  #watching: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #interfaces: readonly LocalInterface[] | undefined;
  #announcements: AnnouncementListener | undefined;
  readonly #announced = new Set<string>();

  constructor({
    via,
    interfaces,
    renewIntervalMs = 300_000,
    watchIntervalMs = 30_000,
    journal = true,
    signal,
    environment,
  }: PortMapperOptions = {}) {
    super();
    const clock = environment?.clock ?? systemClock;
    const random = environment?.random ?? Math.random;
    const directory = journal === true ? stateDirectory() : journal;
    const knownRouters = directory === false ? undefined : new KnownRouters(directory);
    this.#environment = {
      clock,
      random,
      discover:
        environment?.discover ??
        ((events) =>
          discoverGateways({ via, interfaces, clock, random, knownRouters, ports: environment?.ports }, events)),
      keeper: environment?.keeper ?? (directory === false ? new CarelessKeeper() : new JournalKeeper(directory, clock)),
      machine: environment?.machine ?? machineId(),
      ports: environment?.ports ?? {},
    };
    this.#renewIntervalMs = renewIntervalMs;
    this.#watchIntervalMs = watchIntervalMs;
    this.#interfaces = interfaces;
    setMaxListeners(0, this.#end.signal);
    this.#host = this.#asHost();
    if (signal?.aborted) void this.close();
    else signal?.addEventListener("abort", () => void this.close(), { once: true, signal: this.#end.signal });
  }

  /**
   * Maps a port. Resolves when it is mapped; the mapping then lives until it is unmapped or the mapper closes.
   * @throws {PortMapError} with every step that was tried. Unless the request is wrong or the signal aborted, the mapper
   * goes on trying in the background, and emits `mapped` when it succeeds.
   */
  async map(request: MapRequest, { signal, onStep }: MapOptions = {}): Promise<PortMapping> {
    const full = this.#complete(request);
    if (this.#end.signal.aborted) throw new PortMapError("aborted", "the port mapper is closed");
    this.#watching ??= this.#watch();
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
    return [...this.#gateways.values()].map(({ info }) => info);
  }

  /** Every mapping that is kept. */
  mappings(): PortMapping[] {
    return [...this.#mappings];
  }

  /** The network changed: looks at every mapping now, and searches again for what is not mapped. */
  refresh(reason: string = "the network changed"): void {
    this.#hurry.abort();
    this.#hurry = new AbortController();
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
    await this.#round?.[Symbol.asyncDispose]();
    await Promise.all([...this.#gateways.values()].map((gateway) => gateway.close()));
    this.#gateways.clear();
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

  #complete(request: MapRequest): FullRequest {
    const {
      internalPort,
      externalPort = internalPort,
      protocol,
      lifetimeSeconds = DEFAULT_LIFETIME,
      description = "Sallyport",
    } = request;
    for (const [name, port] of Object.entries({ internalPort, externalPort })) {
      if (!Number.isInteger(port) || port < 1 || port > 65535) {
        throw new PortMapError("invalid", `${name} must be a whole number from 1 to 65535, not ${port}`);
      }
    }
    if (protocol !== "udp" && protocol !== "tcp" && protocol !== "both") {
      throw new PortMapError("invalid", `protocol must be udp, tcp or both, not ${String(protocol)}`);
    }
    if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < 0 || lifetimeSeconds > MAX_LIFETIME) {
      throw new PortMapError(
        "invalid",
        `lifetimeSeconds must be a whole number from 0 to ${MAX_LIFETIME}, not ${lifetimeSeconds}`,
      );
    }
    return {
      internalPort,
      externalPort,
      protocol,
      lifetimeSeconds,
      description,
      application: request.application ?? description,
      family: request.family ?? 4,
      acceptPrivateAddress: request.acceptPrivateAddress ?? false,
      machine: this.#environment.machine,
    };
  }

  async #keep(request: FullRequest, held: Held, startedAt: number, signal: AbortSignal): Promise<ManagedMapping> {
    if (signal.aborted) {
      for (const lease of held.leases) await giveBack(held.gateway, lease, this.#environment.keeper);
      throw new PortMapError("aborted", "mapping the port was broken off");
    }
    const mapping = new ManagedMapping(this.#host, request, held, startedAt);
    this.#mappings.add(mapping);
    held.gateway.follow?.();
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

  /** Asks every gateway there is, best first, and those that are still being found, until one grants it. @throws {Verdict} */
  async #obtain(
    request: FullRequest,
    signal: AbortSignal,
    report: (finding: Finding) => void,
    preferred?: number,
  ): Promise<Held> {
    const tried = new Set<Gateway>();
    const failures: GatewayError[] = [];
    const losers = new AbortController();
    const attempts = new Set<Promise<Held | undefined>>();
    const both = AbortSignal.any([signal, losers.signal]);
    const attempt = async (gateway: Gateway): Promise<Held | undefined> => {
      try {
        const held = await establishAt(gateway, request, this.#environment.keeper, both, preferred);
        report({ step: gateway.info.via, outcome: "ok", reason: describeSuccess(held) });
        return held;
      } catch (error) {
        if (both.aborted) return undefined;
        if (!(error instanceof GatewayError)) throw error;
        failures.push(error);
        if (error.kind === "unreachable") this.#drop(gateway);
        const outcome = error.kind === "unreachable" ? "failed" : "refused";
        report({
          step: gateway.info.via,
          outcome,
          reason: `${gateway.info.name}: ${error.message}`,
          ...(error.code === undefined ? {} : { code: error.code }),
        });
        return undefined;
      }
    };
    let round: Round | undefined;
    let unsubscribe: (() => void) | undefined;
    const aborted = new Promise<void>((resolve) => both.addEventListener("abort", () => resolve(), { once: true }));
    const won: { held?: Held } = {};
    try {
      while (won.held === undefined) {
        signal.throwIfAborted();
        const next = this.#best(tried, request.family);
        if (next) {
          tried.add(next);
          const running: Promise<Held | undefined> = attempt(next).then((held) => {
            attempts.delete(running);
            if (held && !won.held) won.held = held;
            else if (held)
              void Promise.all(held.leases.map((lease) => giveBack(held.gateway, lease, this.#environment.keeper)));
            return held;
          });
          attempts.add(running);
          // Nothing is waited for when this one is slow.
          await Promise.race([running, delay(this.#environment.clock, HEDGE_AFTER, both)]);
          continue;
        }
        if (round === undefined) {
          round = this.#search();
          unsubscribe = round.subscribe(report);
        }
        if (round.isSettled && attempts.size === 0 && !this.#best(tried, request.family)) break;
        await Promise.race([aborted, this.#arrival.promise, ...(round.isSettled ? [] : [round.settled]), ...attempts]);
      }
    } finally {
      unsubscribe?.();
      losers.abort();
      await Promise.all(attempts);
    }
    if (won.held) return won.held;
    throw verdict(failures, round?.findings ?? []);
  }

  /** The gateway to ask next: one whose external address is public, or which tells it with the mapping, before any other. */
  #best(tried: ReadonlySet<Gateway>, family: 4 | 6): Gateway | undefined {
    const open = [...this.#gateways.values()].filter(
      (gateway) => !tried.has(gateway) && gateway.localAddress.includes(":") === (family === 6),
    );
    return open.find(({ info }) => !isKnownToBePrivate(info)) ?? open[0];
  }

  /** The search that is under way, or a new one. */
  #search(): Round {
    if (this.#round && !this.#round.isSettled) return this.#round;
    void this.#round?.[Symbol.asyncDispose]();
    const round = new Round(this.#environment.discover, (gateway) => this.#welcome(gateway));
    this.#round = round;
    void round.settled
      .then(() => delay(this.#environment.clock, LINGER, this.#end.signal))
      .then(() => (this.#background.size === 0 && this.#round === round ? round[Symbol.asyncDispose]() : undefined));
    return round;
  }

  #welcome(gateway: Gateway): void {
    const key = `${gateway.info.via} ${gateway.info.address} ${gateway.localAddress}`;
    const known = this.#gateways.get(key);
    if (this.#end.signal.aborted || (known && this.#isUsed(known))) {
      void gateway.close();
      return;
    }
    void known?.close();
    // Every mapping listens to its gateway.
    gateway.setMaxListeners(0);
    this.#gateways.set(key, gateway);
    this.#inBackground(this.#environment.keeper.welcome(gateway, this.#end.signal));
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  #isUsed(gateway: Gateway): boolean {
    return [...this.#mappings].some(({ source, state }) => source === gateway && state === "mapped");
  }

  #drop(gateway: Gateway): void {
    for (const [key, known] of this.#gateways) if (known === gateway) this.#gateways.delete(key);
    if (!this.#isUsed(gateway)) void gateway.close();
  }

  async #keepTrying(request: FullRequest, startedAt: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#environment;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const pause = BACKGROUND[Math.min(attempt, BACKGROUND.length - 1)] ?? 0;
      const hurry = this.#hurry.signal;
      // The search goes on listening: a late answer ends the pause.
      await Promise.race([delay(clock, pause, AbortSignal.any([signal, hurry])), this.#arrival.promise]);
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

  /** Listens to the network and asks every gateway that holds something for signs of life, until the mapper closes. */
  async #watch(): Promise<void> {
    const { clock, random } = this.#environment;
    const { signal } = this.#end;
    using _network = new NetworkWatch({ clock, onChange: (reason) => void this.#onNetworkChange(reason) });
    this.#listen();
    while (!signal.aborted) {
      await delay(clock, this.#watchIntervalMs * (0.9 + 0.2 * random()), signal);
      if (signal.aborted) break;
      await Promise.all(
        [...this.#gateways.values()].filter((each) => this.#isUsed(each)).map((each) => this.#probe(each)),
      );
    }
    this.#announcements?.[Symbol.dispose]();
  }

  async #probe(gateway: Gateway): Promise<void> {
    const { signal } = this.#end;
    try {
      await gateway.probe(signal);
      // Unlike PCP's and NAT-PMP's epoch, nothing in UPnP tells for sure that a router kept its table.
      if (gateway.info.via !== "upnp") return;
      for (const mapping of this.#mappings) if (mapping.source === gateway) mapping.inspect();
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      for (const mapping of this.#mappings) if (mapping.source === gateway) mapping.doubt(reason);
    }
  }

  /** Opens the ears of {@link AnnouncementListener} on the interfaces that there are now. */
  #listen(): void {
    const { ports } = this.#environment;
    this.#announcements?.[Symbol.dispose]();
    const interfaces = this.#interfaces ?? usableInterfaces([]);
    this.#announcements = new AnnouncementListener({
      interfaces,
      ports,
      onAnnouncement: (heard) => void this.#onAnnouncement(heard),
    });
  }

  async #onAnnouncement(heard: Announcement): Promise<void> {
    const { clock, random } = this.#environment;
    if (heard.kind === "pcp" || heard.kind === "nat-pmp") {
      if (this.#announced.has(heard.from)) return;
      // Everybody on the LAN heard it: RFC 6887 section 14.1.2 has each wait for a random time.
      this.#announced.add(heard.from);
      await delay(clock, MAX_ANNOUNCE_DELAY * random(), this.#end.signal);
      this.#announced.delete(heard.from);
      if (this.#end.signal.aborted) return;
    }
    let known = false;
    for (const gateway of this.#gateways.values()) {
      if (gateway.info.address !== heard.from) continue;
      known = true;
      gateway.hear(heard);
    }
    if (heard.kind === "byebye") return;
    // Somebody who was not there before, or is back.
    const lost = [...this.#mappings].some(({ state }) => state === "lost");
    if (lost || !known) this.#wakeTheLost();
  }

  /** What is not mapped is tried now. */
  #wakeTheLost(): void {
    this.#hurry.abort();
    this.#hurry = new AbortController();
    for (const mapping of this.#mappings) if (mapping.state === "lost") mapping.doubt("a router announced itself");
  }

  async #onNetworkChange(reason: string): Promise<void> {
    this.#listen();
    const own = new Set((this.#interfaces ?? usableInterfaces(await defaultRoutes())).map(({ address }) => address));
    // A gateway that was asked from an address that is gone cannot be asked any more.
    for (const gateway of this.#gateways.values()) {
      if (own.has(gateway.localAddress)) continue;
      for (const mapping of this.#mappings) {
        if (mapping.source === gateway) mapping.abandon(`this computer's address ${gateway.localAddress} is gone`);
      }
      this.#drop(gateway);
    }
    this.refresh(reason);
  }

  #asHost(): MappingHost {
    const { clock, random, keeper } = this.#environment;
    return {
      clock,
      random,
      keeper,
      renewIntervalMs: this.#renewIntervalMs,
      obtain: (request, signal, preferred) => this.#obtain(request, signal, () => undefined, preferred),
      distrust: (gateway) => this.#drop(gateway),
      announce: (event) => this.emit(event.event, event),
      ended: (mapping) => this.#mappings.delete(mapping),
    };
  }
}
