import { systemClock } from "../../net/clock.ts";
import { sleep, whileAwaited } from "../../net/wait.ts";
import { discoverGateways } from "../discovery/gateways.ts";
import type { Discover, Gateway, Lease, PortMappingEntry, ShownAs } from "../gateway.ts";
import { Journal, type JournalEntry, stateDirectory } from "../journal/journal.ts";
import { KnownRouters } from "../journal/known-routers.ts";
import type { GatewayInfo, Transport, Via } from "../types.ts";
import { clientOf, isHeld, PLAIN_DESCRIPTION, shownAs } from "../upnp/entries.ts";

/** A mapping at a router: from its own table, or from our journal where the protocol shows none. */
export interface RouterEntry {
  readonly via: Via;
  readonly gateway: string;
  readonly transport: Transport;
  readonly externalPort: number;
  readonly internalAddress: string;
  readonly internalPort: number;
  readonly description: string;
  /** Unix milliseconds, 0 for a permanent entry. */
  readonly expiresAt: number;
  /** It leads to this computer. */
  readonly isOurs: boolean;
  /** A Sallyport program on this computer made it, as the journal or its name tells. False: another program did, or a person. */
  readonly isMadeHere: boolean;
  /** The process on this computer that keeps it. */
  readonly heldBy?: number | undefined;
  /** How the router's table shows it. */
  readonly shownAs?: ShownAs | undefined;
}

type Recorded = ReturnType<Journal["everything"]>[number];

export interface RouterOptions {
  via?: readonly Via[] | undefined;
  /** Only the router at this address, as in {@link PortMapperOptions.gateway}. */
  gateway?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Replaces the search; for tests. */
  discover?: Discover | undefined;
  /** Where the journal is, default the user's state directory. */
  journal?: string | undefined;
}

/** After the first gateway answered, the others have this long: UPnP routers spread their answers over MX (2 s), and a slow one needs time for its description. */
const MORE_GATEWAYS_MS = 3000;
/** For giving a port back by hand. */
const RELEASE_TIMEOUT_MS = 5000;

/** The routers here and what they map, for showing and clearing up by hand. */
export class Router implements AsyncDisposable {
  readonly #gateways: readonly Gateway[];
  readonly #journal: Journal;
  /** Why there is none. */
  readonly reason: string;

  private constructor(gateways: readonly Gateway[], reason: string, journal: Journal) {
    this.#gateways = gateways;
    this.reason = reason;
    this.#journal = journal;
  }

  /** Each router once for each protocol, from however many addresses it was asked. */
  get gateways(): GatewayInfo[] {
    const infos: GatewayInfo[] = [];
    for (const { info } of this.#gateways) {
      const index = infos.findIndex(({ via, address }) => via === info.via && address === info.address);
      if (index < 0) infos.push(info);
      // One of several drivers may know more.
      else if (infos[index]?.externalAddress === "") infos[index] = info;
    }
    return infos;
  }

  static find(options: RouterOptions = {}): Promise<Router> {
    return whileAwaited(Router.#find(options));
  }

  static async #find({
    via,
    gateway: address,
    signal,
    journal = stateDirectory(),
    discover = (events) =>
      discoverGateways(
        { via, gateway: address, clock: systemClock, random: Math.random, knownRouters: new KnownRouters(journal) },
        events,
      ),
  }: RouterOptions): Promise<Router> {
    const gateways: Gateway[] = [];
    const reasons: string[] = [];
    const first = new AbortController();
    await using search = discover({
      onGateway: (gateway) => {
        gateways.push(gateway);
        first.abort();
      },
      onFinding: ({ reason }) => reasons.push(reason),
    });
    const enough = new Promise<void>((resolve) => {
      first.signal.addEventListener("abort", () => void sleep(MORE_GATEWAYS_MS, signal, systemClock).then(resolve), {
        once: true,
      });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([search.settled, enough]);
    return new Router([...gateways], reasons.join("; "), Journal.at(journal));
  }

  /** What the routers map, as far as they tell, and what this computer has by protocols that do not. */
  async entries(): Promise<RouterEntry[]> {
    const recorded = this.#journal.everything();
    const own = new Set(this.#gateways.map(({ localAddress }) => localAddress));
    const entries = new Map<string, RouterEntry>();
    const add = (entry: RouterEntry): void => {
      const key = `${entry.gateway} ${entry.transport} ${entry.externalPort}`;
      if (!entries.has(key)) entries.set(key, entry);
    };
    for (const gateway of this.#gateways) {
      const table = (await gateway.table?.().catch(() => undefined)) ?? [];
      for (const row of table) {
        const { address } = gateway.info;
        const record = recorded.find(
          ({ entry }) =>
            entry.gateway === address &&
            entry.transport === row.protocol &&
            entry.externalPort === row.externalPort &&
            isHeld(row, entry.localAddress, entry),
        );
        add(fromTable(row, gateway, record));
      }
    }
    for (const { entry, pid } of recorded) {
      if (entry.expiresAt !== 0 && entry.expiresAt < Date.now()) continue;
      if (own.has(entry.localAddress) && this.#driverOf(entry)) add(fromJournal(entry, pid));
    }
    return [...entries.values()].sort(
      (a, b) => a.externalPort - b.externalPort || a.transport.localeCompare(b.transport),
    );
  }

  /** Removes an entry of this computer. True: it is certainly gone. */
  async remove(entry: RouterEntry): Promise<boolean> {
    return whileAwaited(this.#remove(entry));
  }

  async #remove(entry: RouterEntry): Promise<boolean> {
    if (!entry.isOurs) return false;
    const record = this.#journal
      .everything()
      .find(
        ({ entry: each }) =>
          each.gateway === entry.gateway &&
          each.transport === entry.transport &&
          each.externalPort === entry.externalPort,
      );
    const lease: Lease = {
      transport: entry.transport,
      internalAddress: entry.internalAddress,
      internalPort: entry.internalPort,
      externalAddress: "",
      externalPort: entry.externalPort,
      description: entry.description,
      lifetimeSeconds: 0,
      expiresAt: entry.expiresAt,
      verified: false,
      shownAs: entry.shownAs,
      nonce: record?.entry.nonce === undefined ? undefined : new Uint8Array(Buffer.from(record.entry.nonce, "hex")),
    };
    // UPnP can remove any entry; PCP and NAT-PMP only their own.
    const drivers = this.#gateways.filter(
      ({ info, localAddress }) => info.address === entry.gateway && localAddress === entry.internalAddress,
    );
    for (const driver of drivers.sort((a, b) => Number(b.info.via === entry.via) - Number(a.info.via === entry.via))) {
      if (await driver.release(lease, AbortSignal.timeout(RELEASE_TIMEOUT_MS)).catch(() => false)) return true;
    }
    return false;
  }

  #driverOf({ via, gateway }: JournalEntry): Gateway | undefined {
    return this.#gateways.find(({ info }) => info.via === via && info.address === gateway);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#gateways.map((gateway) => gateway.close()));
  }
}

function fromTable(row: PortMappingEntry, { info, localAddress }: Gateway, record: Recorded | undefined): RouterEntry {
  const client = clientOf(row, localAddress);
  const leadsHere = client === "us" || client === "here";
  return {
    via: record?.entry.via ?? "upnp",
    gateway: info.address,
    transport: row.protocol,
    externalPort: row.externalPort,
    // However the router spells it.
    internalAddress: record?.entry.localAddress ?? (client === "us" ? localAddress : row.internalClient),
    internalPort: row.internalPort,
    description: row.description,
    expiresAt: row.leaseSeconds === 0 ? 0 : Date.now() + row.leaseSeconds * 1000,
    isOurs: record !== undefined || leadsHere,
    isMadeHere: record !== undefined || (leadsHere && row.description === PLAIN_DESCRIPTION),
    heldBy: record?.pid,
    shownAs: shownAs(row),
  };
}

function fromJournal(entry: JournalEntry, heldBy: number | undefined): RouterEntry {
  const { via, gateway, transport, externalPort, internalPort, description, expiresAt } = entry;
  return {
    via,
    gateway,
    transport,
    externalPort,
    internalAddress: entry.localAddress,
    internalPort,
    description,
    expiresAt,
    isOurs: true,
    isMadeHere: true,
    heldBy,
    shownAs: entry.shownAs,
  };
}
