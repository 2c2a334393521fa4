import { networkInterfaces } from "node:os";
import type { Clock } from "../../net/clock.ts";
import { messageOf } from "../../net/message-of.ts";
import { type TraceInput, traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import { isKnownToBePrivate } from "../external-address.ts";
import { type Discover, type Finding, type Gateway, NO_ANSWER_MS, type SearchEvents } from "../gateway.ts";
import { interfacesTo, interfacesToRouters, type LocalInterface } from "../interfaces.ts";
import type { KnownRouters } from "../journal/known-routers.ts";
import type { Via } from "../types.ts";
import { STEP_TIMEOUT_MS } from "../upnp/service/step-timeout.ts";
import { PortControlDiscovery } from "./port-control-discovery.ts";
import { UpnpDiscovery } from "./upnp-discovery.ts";

const trace = traceOf("gateway");

/** Late answers to a search are taken for this long, and longer only while something is not mapped. */
const LATE_ANSWERS_MS = 3000;

export interface GatewaysOptions {
  clock: Clock;
  discover: Discover;
  /** Ends with the mapper. */
  signal: AbortSignal;
  /** Whether a mapping depends on it: it is then neither replaced nor closed. */
  isUsed: (gateway: Gateway) => boolean;
  /** Whether somebody still waits for a gateway, so that a search goes on listening. */
  isWanted: () => boolean;
  onArrival: (gateway: Gateway) => void;
}

/** The gateways that answered and still do, and the search for more. */
export class Gateways implements AsyncDisposable {
  readonly #options: GatewaysOptions;
  /** By {@link Gateway.id}. */
  readonly #known = new Map<string, Gateway>();
  /** How many requests are asking each. */
  readonly #held = new Map<Gateway, number>();
  /** Those that still listen. */
  readonly #searches = new Set<SharedSearch>();
  #current: { search: SharedSearch; startedAt: number } | undefined;
  #arrival = Promise.withResolvers<void>();

  constructor(options: GatewaysOptions) {
    this.#options = options;
  }

  [Symbol.iterator](): MapIterator<Gateway> {
    return this.#known.values();
  }

  /** Resolves when the next one arrives. */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  /**
   * Those that were not tried, in the order in which they are to be asked: the default gateway before others, and of one router
   * those last whose external address is known to be private.
   */
  inOrder(tried: ReadonlySet<Gateway>, family: 4 | 6): Gateway[] {
    const isLast = ({ info }: Gateway): number => Number(isKnownToBePrivate(info));
    return [...this]
      .filter((gateway) => !tried.has(gateway) && gateway.localAddress.includes(":") === (family === 6))
      .sort((a, b) => (a.rank === b.rank ? isLast(a) - isLast(b) : a.rank - b.rank));
  }

  /** It is being asked until the result is disposed: it is neither replaced nor closed. */
  hold(gateway: Gateway): Disposable {
    this.#held.set(gateway, (this.#held.get(gateway) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const held = (this.#held.get(gateway) ?? 1) - 1;
        if (held > 0) this.#held.set(gateway, held);
        else this.#held.delete(gateway);
      },
    };
  }

  /** Another protocol of the same router was quicker: it is asked last from now on. */
  demote(gateway: Gateway): void {
    if (this.#known.get(gateway.id) !== gateway) return;
    this.#known.delete(gateway.id);
    this.#known.set(gateway.id, gateway);
  }

  /**
   * The search that has just begun, or a new one: one that goes on because a router is slow does not ask the quick protocols again.
   */
  search(): SharedSearch {
    const { clock, discover } = this.#options;
    const current = this.#current;
    if (current && !current.search.isSettled && clock.now() - current.startedAt < NO_ANSWER_MS) return current.search;
    const search = new SharedSearch(discover, (gateway) => this.#add(gateway));
    for (const other of this.#searches) if (other.isSettled) this.#end(other);
    this.#searches.add(search);
    this.#current = { search, startedAt: clock.now() };
    void this.#listenOn(search);
    return search;
  }

  /** This computer is on another network: what the searches may still find is not there. */
  endSearches(): void {
    for (const search of this.#searches) this.#end(search);
    this.#current = undefined;
  }

  /** Late answers count, for a while or as long as somebody waits for them. */
  async #listenOn(search: SharedSearch): Promise<void> {
    const { clock, signal, isWanted } = this.#options;
    await search.settled;
    await sleep(LATE_ANSWERS_MS, signal, clock);
    if (!isWanted() || this.#current?.search !== search) this.#end(search);
  }

  #end(search: SharedSearch): void {
    if (this.#searches.delete(search)) void search[Symbol.asyncDispose]();
  }

  /** It does not answer any more, or cannot be asked: only a new search brings it back. */
  markUnreachable(gateway: Gateway): void {
    if (trace.on) trace.event("gateway-unreachable", describeGateway(gateway));
    for (const [key, known] of this.#known) if (known === gateway) this.#known.delete(key);
    if (!this.#options.isUsed(gateway)) void gateway.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#searches].map((search) => search[Symbol.asyncDispose]()));
    this.#searches.clear();
    await Promise.all([...this].map((gateway) => gateway.close()));
    this.#known.clear();
  }

  #add(gateway: Gateway): void {
    const { signal, isUsed, onArrival } = this.#options;
    const known = this.#known.get(gateway.id);
    if (signal.aborted || (known && (isUsed(known) || this.#held.has(known)))) {
      void gateway.close();
      return;
    }
    void known?.close();
    if (trace.on) trace.event("gateway-found", describeGateway(gateway));
    // Every mapping listens to its gateway.
    gateway.setMaxListeners(0);
    this.#known.set(gateway.id, gateway);
    onArrival(gateway);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }
}

/** A search that several requests wait for: its findings are kept for those that join late. */
export class SharedSearch implements AsyncDisposable {
  readonly findings: Finding[] = [];
  readonly settled: Promise<void>;
  isSettled = false;
  readonly #listeners = new Set<(finding: Finding) => void>();
  readonly #search: ReturnType<Discover>;

  constructor(discover: Discover, onGateway: (gateway: Gateway) => void) {
    this.#search = discover({
      onGateway,
      onFinding: (finding) => {
        if (trace.on) trace.event("finding", { ...finding });
        this.findings.push(finding);
        for (const listener of this.#listeners) listener(finding);
      },
    });
    this.settled = this.#search.settled.then(() => {
      this.isSettled = true;
    });
  }

  /** Tells what was found so far, and what will be, until the result is called. */
  subscribe(listener: (finding: Finding) => void): () => void {
    for (const finding of this.findings) listener(finding);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#search[Symbol.asyncDispose]();
  }
}

export interface DiscoverOptions {
  /** Default all. */
  via?: readonly Via[] | undefined;
  /** Default all usable ones. */
  interfaces?: readonly LocalInterface[] | undefined;
  /** Only the router at this address on the LAN, whatever the default route says. */
  gateway?: string | undefined;
  /** Milliseconds that a router may take for one answer over UPnP, default {@link STEP_TIMEOUT_MS}. */
  stepTimeoutMs?: number | undefined;
  clock: Clock;
  random: () => number;
  /** Routers met before. */
  knownRouters?: KnownRouters | undefined;
  /** Where gateways listen, for tests: default 1900 and 5351. */
  ports?: { ssdp?: number; portControl?: number } | undefined;
}

/** Searches by every protocol on every interface at once. */
export function discoverGateways(options: DiscoverOptions, events: SearchEvents): ReturnType<Discover> {
  const { via = ["pcp", "nat-pmp", "upnp"], gateway, clock, random, knownRouters, ports } = options;
  const { stepTimeoutMs = STEP_TIMEOUT_MS } = options;
  const searches: (Disposable & { settled: Promise<void> })[] = [];
  let disposed = false;
  const begin = async (): Promise<void> => {
    const all = options.interfaces ?? (await interfacesToRouters());
    const usable = gateway === undefined ? all : await interfacesTo(gateway, all);
    if (disposed) return;
    if (trace.on) traceSearch(via, usable);
    if (usable.length === 0) {
      const reason =
        gateway === undefined
          ? "this computer has no network address: connect it to a network"
          : `no address of this computer leads to ${gateway}: give the router's address on this network`;
      events.onFinding({ step: "interfaces", outcome: "absent", reason });
      return;
    }
    if (via.includes("pcp") || via.includes("nat-pmp")) {
      const port = ports?.portControl;
      searches.push(new PortControlDiscovery({ interfaces: usable, via, clock, random, port }, events));
    }
    if (via.includes("upnp")) {
      const hasCompany = searches.length > 0;
      const onlyDefault = gateway !== undefined;
      const port = ports?.ssdp;
      searches.push(
        new UpnpDiscovery(
          { interfaces: usable, clock, hasCompany, onlyDefault, stepTimeoutMs, knownRouters, port },
          events,
        ),
      );
    }
    await Promise.all(searches.map(({ settled }) => settled));
  };
  const settled = begin().catch((error: unknown) => {
    events.onFinding({
      step: "interfaces",
      outcome: "failed",
      reason: `no search could be begun: ${messageOf(error)}`,
    });
  });
  return {
    settled,
    async [Symbol.asyncDispose]() {
      disposed = true;
      for (const search of searches) search[Symbol.dispose]();
      await settled;
    },
  };
}

/** Interfaces that are left out have no address of their own, or lead to containers and tunnels: see interfaces.ts. */
function traceSearch(via: readonly Via[], usable: readonly LocalInterface[]): void {
  const skipped = Object.keys(networkInterfaces()).filter((name) => !usable.some((each) => each.name === name));
  const interfaces = usable.map(({ name, address, gateway }) => `${name} ${address} gateway ${gateway ?? "none"}`);
  trace.event("search", { via, interfaces, skipped });
}

function describeGateway({ info, localAddress }: Gateway): TraceInput {
  const { via, name, address, externalAddress } = info;
  return { via, name, address, externalAddress, localAddress };
}
