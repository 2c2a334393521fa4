import { networkInterfaces } from "node:os";
import type { Clock } from "../../net/clock.ts";
import { messageOf } from "../../net/message-of.ts";
import { type TraceInput, traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import { isKnownToBePrivate } from "../external-address.ts";
import type { Discover, Finding, Gateway, SearchEvents } from "../gateway.ts";
import { interfacesToRouters, type LocalInterface } from "../interfaces.ts";
import type { KnownRouters } from "../journal/known-routers.ts";
import type { Via } from "../types.ts";
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
  readonly #known = new Map<string, Gateway>();
  #search: SharedSearch | undefined;
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

  /** The gateway to ask next: those whose external address is known to be private come last. */
  best(tried: ReadonlySet<Gateway>, family: 4 | 6): Gateway | undefined {
    const open = [...this].filter(
      (gateway) => !tried.has(gateway) && gateway.localAddress.includes(":") === (family === 6),
    );
    return open.find(({ info }) => !isKnownToBePrivate(info)) ?? open[0];
  }

  /** The search that is under way, or a new one. */
  search(): SharedSearch {
    if (this.#search && !this.#search.isSettled) return this.#search;
    void this.#search?.[Symbol.asyncDispose]();
    const { clock, discover, signal, isWanted } = this.#options;
    const search = new SharedSearch(discover, (gateway) => this.#add(gateway));
    this.#search = search;
    void search.settled
      .then(() => sleep(LATE_ANSWERS_MS, signal, clock))
      .then(() => (!isWanted() && this.#search === search ? search[Symbol.asyncDispose]() : undefined));
    return search;
  }

  /** It does not answer any more, or cannot be asked: only a new search brings it back. */
  markUnreachable(gateway: Gateway): void {
    if (trace.on) trace.event("gateway-unreachable", describeGateway(gateway));
    for (const [key, known] of this.#known) if (known === gateway) this.#known.delete(key);
    if (!this.#options.isUsed(gateway)) void gateway.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#search?.[Symbol.asyncDispose]();
    await Promise.all([...this].map((gateway) => gateway.close()));
    this.#known.clear();
  }

  #add(gateway: Gateway): void {
    const { signal, isUsed, onArrival } = this.#options;
    const key = `${gateway.info.via} ${gateway.info.address} ${gateway.localAddress}`;
    const known = this.#known.get(key);
    if (signal.aborted || (known && isUsed(known))) {
      void gateway.close();
      return;
    }
    void known?.close();
    if (trace.on) trace.event("gateway-found", describeGateway(gateway));
    // Every mapping listens to its gateway.
    gateway.setMaxListeners(0);
    this.#known.set(key, gateway);
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
  clock: Clock;
  random: () => number;
  /** Routers met before. */
  knownRouters?: KnownRouters | undefined;
  /** Where gateways listen, for tests: default 1900 and 5351. */
  ports?: { ssdp?: number; portControl?: number } | undefined;
}

/** Searches by every protocol on every interface at once. */
export function discoverGateways(
  { via = ["pcp", "nat-pmp", "upnp"], interfaces, clock, random, knownRouters, ports }: DiscoverOptions,
  events: SearchEvents,
): ReturnType<Discover> {
  const searches: (Disposable & { settled: Promise<void> })[] = [];
  let disposed = false;
  const begin = async (): Promise<void> => {
    const usable = interfaces ?? (await interfacesToRouters());
    if (disposed) return;
    if (trace.on) traceSearch(via, usable);
    if (usable.length === 0) {
      const reason = "this computer has no network address: connect it to a network";
      events.onFinding({ step: "interfaces", outcome: "absent", reason });
      return;
    }
    if (via.includes("pcp") || via.includes("nat-pmp")) {
      const port = ports?.portControl;
      searches.push(new PortControlDiscovery({ interfaces: usable, via, clock, random, port }, events));
    }
    if (via.includes("upnp")) {
      const hasCompany = searches.length > 0;
      const port = ports?.ssdp;
      searches.push(new UpnpDiscovery({ interfaces: usable, clock, hasCompany, knownRouters, port }, events));
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
