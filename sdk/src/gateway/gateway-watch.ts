import type { Clock } from "../net/clock.ts";
import { messageOf } from "../net/message-of.ts";
import { usableInterfaces } from "../net/usable-interfaces.ts";
import { sleep } from "../net/wait.ts";
import { type Announcement, AnnouncementListener } from "./announcements.ts";
import type { Gateway } from "./gateway.ts";
import type { Gateways } from "./gateways.ts";
import { interfacesToRouters, type LocalInterface } from "./interfaces.ts";
import type { ManagedMapping } from "./managed-mapping.ts";
import { NetworkWatch } from "./network-watch.ts";

/** RFC 6887 section 14.1.2. */
const MAX_ANNOUNCE_DELAY = 5000;

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
  /** A router is there that was not, or is back: what is not mapped is tried now. */
  onReturn: () => void;
  /** The network is another now. */
  onChange: (reason: string) => void;
}

/** Looks after the gateways that hold mappings: asks for signs of life, listens to announcements, notices another network. */
export class GatewayWatch {
  readonly #options: GatewayWatchOptions;
  #announcements: AnnouncementListener | undefined;
  readonly #announced = new Set<string>();

  constructor(options: GatewayWatchOptions) {
    this.#options = options;
  }

  /** Listens to the network and asks every gateway that holds something for signs of life, until the mapper closes. */
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
      // Unlike PCP's and NAT-PMP's epoch, nothing in UPnP tells for sure that a router kept its table.
      if (gateway.info.via !== "upnp") return;
      for (const mapping of mappings) if (mapping.source === gateway) mapping.inspect();
    } catch (error) {
      if (signal.aborted) return;
      const reason = messageOf(error);
      for (const mapping of mappings) if (mapping.source === gateway) mapping.doubt(reason);
    }
  }

  /** Opens the ears of {@link AnnouncementListener} on the interfaces that there are now. */
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
    const { clock, random, signal, gateways, mappings, onReturn } = this.#options;
    if (heard.kind === "pcp" || heard.kind === "nat-pmp") {
      if (this.#announced.has(heard.from)) return;
      // Everybody on the LAN heard it: RFC 6887 section 14.1.2 has each wait for a random time.
      this.#announced.add(heard.from);
      await sleep(MAX_ANNOUNCE_DELAY * random(), signal, clock);
      this.#announced.delete(heard.from);
      if (signal.aborted) return;
    }
    let known = false;
    for (const gateway of gateways) {
      if ((gateway.announcesFrom ?? gateway.info.address) !== heard.from) continue;
      known = true;
      gateway.hear(heard);
    }
    if (heard.kind === "byebye") return;
    // Somebody who was not there before, or is back.
    const lost = [...mappings].some(({ state }) => state === "lost");
    if (lost || !known) onReturn();
  }

  async #onNetworkChange(reason: string): Promise<void> {
    const { interfaces, gateways, mappings, onChange } = this.#options;
    this.#listen();
    const own = new Set((interfaces ?? (await interfacesToRouters())).map(({ address }) => address));
    // A gateway that was asked from an address that is gone cannot be asked any more.
    for (const gateway of gateways) {
      if (own.has(gateway.localAddress)) continue;
      for (const mapping of mappings) {
        if (mapping.source === gateway) mapping.abandon(`this computer's address ${gateway.localAddress} is gone`);
      }
      gateways.drop(gateway);
    }
    onChange(reason);
  }
}
