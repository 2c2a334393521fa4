import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import { TraceLimiter } from "../../net/trace-limiter.ts";
import { usableInterfaces } from "../../net/usable-interfaces.ts";
import { sleep } from "../../net/wait.ts";
import { AnnouncementListener } from "../discovery/announcements.ts";
import type { Gateways } from "../discovery/gateways.ts";
import { NetworkWatch } from "../discovery/network-watch.ts";
import type { Announcement, Gateway } from "../gateway.ts";
import { interfacesToRouters, type LocalInterface } from "../interfaces.ts";
import type { ManagedMapping } from "./managed-mapping.ts";

const trace = traceOf("gateway");
/** Everybody on the network may announce itself. */
const limiter = new TraceLimiter();

/** Everybody on the LAN hears an announcement: each waits for a random time up to this (RFC 6887 section 14.1.2). */
const MAX_ANNOUNCE_DELAY_MS = 5000;

export interface GatewayWatchOptions {
  clock: Clock;
  random: () => number;
  /** Ends the watch. */
  signal: AbortSignal;
  /** Milliseconds between two signs of life asked of a gateway that holds a mapping. */
  watchIntervalMs: number;
  /** Addresses to listen on, default all usable ones. */
  interfaces: readonly LocalInterface[] | undefined;
  ports: { ssdp?: number; announcements?: number };
  gateways: Gateways;
  mappings: ReadonlySet<ManagedMapping>;
  isUsed: (gateway: Gateway) => boolean;
  /** A router came, or came back: what is not mapped is to be tried now. */
  onReturn: () => void;
  /** This computer is on another network, or was asleep. */
  onChange: (reason: string) => void;
}

/** Watches the gateways that hold mappings: probes them, listens to announcements, notices another network. */
export class GatewayWatch {
  readonly #options: GatewayWatchOptions;
  #announcements: AnnouncementListener | undefined;
  readonly #announced = new Set<string>();

  constructor(options: GatewayWatchOptions) {
    this.#options = options;
  }

  /** Runs until the mapper closes. */
  async run(): Promise<void> {
    const { clock, random, signal, watchIntervalMs, gateways, isUsed } = this.#options;
    using _network = new NetworkWatch({ clock, onChange: (reason) => void this.#onNetworkChange(reason) });
    this.#listen();
    while (!signal.aborted) {
      await sleep(watchIntervalMs * (0.9 + 0.2 * random()), signal, clock);
      if (signal.aborted) break;
      await Promise.all([...gateways].filter(isUsed).map((each) => this.#probe(each)));
    }
    this.#announcements?.[Symbol.dispose]();
  }

  async #probe(gateway: Gateway): Promise<void> {
    const { signal, mappings } = this.#options;
    try {
      await gateway.probe(signal);
      // An epoch tells of a restart, and nothing tells that another program deleted the entry.
      for (const mapping of mappings) if (mapping.source === gateway) mapping.inspect();
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      for (const mapping of mappings) if (mapping.source === gateway) mapping.recheck(reason);
    }
  }

  /** Listens for announcements on the interfaces that there are now. */
  #listen(): void {
    const { ports, interfaces = usableInterfaces() } = this.#options;
    this.#announcements?.[Symbol.dispose]();
    this.#announcements = new AnnouncementListener({
      interfaces,
      ports,
      onAnnouncement: (heard) => void this.#onAnnouncement(heard),
    });
  }

  async #onAnnouncement(heard: Announcement): Promise<void> {
    const { clock, random, signal, gateways, mappings, isUsed, onReturn } = this.#options;
    if (trace.on) {
      const count = limiter.take(heard.kind, clock.now());
      if (count > 0) trace.event("announcement", { kind: heard.kind, from: heard.from, count });
    }
    const isPortControl = heard.kind === "pcp" || heard.kind === "nat-pmp";
    if (isPortControl) {
      if (this.#announced.has(heard.from)) return;
      this.#announced.add(heard.from);
      await sleep(MAX_ANNOUNCE_DELAY_MS * random(), signal, clock);
      this.#announced.delete(heard.from);
      if (signal.aborted) return;
    }
    let known = false;
    for (const gateway of gateways) {
      if (!gateway.onAnnouncement(heard)) continue;
      known = true;
      // Anybody may have said it: only the router's own answer counts, also for its address.
      if (isPortControl && isUsed(gateway)) void this.#probe(gateway);
    }
    if (heard.kind === "byebye") return;
    const lost = [...mappings].some(({ state }) => state === "lost");
    if (lost || !known) onReturn();
  }

  async #onNetworkChange(reason: string): Promise<void> {
    const { interfaces, gateways, mappings, onChange } = this.#options;
    if (trace.on) trace.event("network-changed", { reason });
    this.#listen();
    const own = new Set((interfaces ?? (await interfacesToRouters())).map(({ address }) => address));
    gateways.endSearches();
    // A gateway that was asked from an address that is gone cannot be asked any more.
    for (const gateway of gateways) {
      if (own.has(gateway.localAddress)) continue;
      for (const mapping of mappings) {
        if (mapping.source === gateway) mapping.forceLost(`this computer's address ${gateway.localAddress} is gone`);
      }
      gateways.markUnreachable(gateway);
    }
    onChange(reason);
  }
}
