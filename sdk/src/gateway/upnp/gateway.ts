import { EventEmitter } from "node:events";
import { addressFamily } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import type { Announcement } from "../announcements.ts";
import { type Gateway, GatewayError, type GatewayEvents, type Lease, type LeaseCheck, type Wish } from "../gateway.ts";
import type { GatewayInfo, Transport } from "../types.ts";
import { UpnpError } from "./errors.ts";
import { describeOwner, describePort, explain, toGatewayError } from "./explain.ts";
import type { SubscriptionOptions } from "./gena.ts";
import type { PortMappingEntry, WanConnection } from "./igd.ts";
import { PLAIN_DESCRIPTION, PortMappingTable, plainText } from "./table.ts";

/** A lease that nearly every router takes which refuses longer ones (WANIPConnection:2 section 2.3.16 recommends it). */
const MODEST_LEASE = 3600;
/** Requests for one port, repairs included. */
const MAX_ATTEMPTS = 6;
interface Options {
  name: string;
  address: string;
  externalAddress: string;
  clock: Clock;
  /** BOOTID.UPNP.ORG of the answer by which it was found. */
  bootId?: number | undefined;
  /** Subscribes to the service's events, where it has some. */
  subscribe?: ((onEvent: SubscriptionOptions["onEvent"]) => AsyncDisposable) | undefined;
}

/** A UPnP internet gateway as a {@link Gateway}: asks before it takes, reads back, and knows what careless routers mean. */
export class UpnpGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly connection: WanConnection;
  readonly #table: PortMappingTable;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #address: string;
  readonly #subscribe: Options["subscribe"];
  #subscription: AsyncDisposable | undefined;
  #subscriptionInDoubt = false;
  #unsubscribed: Promise<unknown> = Promise.resolve();
  #entries: string | undefined;
  #bootId: number | undefined;
  #externalAddress: string;
  /** 725 was answered: nothing but permanent entries. */
  #permanentOnly = false;
  #leaseCap = Number.POSITIVE_INFINITY;

  constructor(connection: WanConnection, { name, address, externalAddress, clock, bootId, subscribe }: Options) {
    super();
    this.connection = connection;
    this.#table = new PortMappingTable(connection);
    this.#clock = clock;
    this.#bootId = bootId;
    this.#subscribe = subscribe;
    this.#name = name;
    this.#address = address;
    this.#externalAddress = externalAddress;
  }

  get info(): GatewayInfo {
    return { via: "upnp", name: this.#name, address: this.#address, externalAddress: this.#externalAddress };
  }

  get localAddress(): string {
    return this.connection.target.localAddress;
  }

  async request(wish: Wish, signal?: AbortSignal): Promise<Lease> {
    try {
      const entry = await this.#look(wish.externalPort, wish.transport, signal);
      if (entry !== undefined && entry !== "unknown" && !this.#table.isOurs(entry, wish)) {
        throw new GatewayError(
          "conflict",
          `${describePort(wish)} belongs to ${describeOwner(entry, this.localAddress)}`,
        );
      }
      const granted = await this.#add(wish, signal);
      return await this.#readBack({ ...wish, ...granted }, signal);
    } catch (error) {
      const mayChoose = !wish.exact && this.connection.version >= 2;
      if (!mayChoose || !(error instanceof GatewayError) || error.kind !== "conflict") throw error;
      return this.#addAny(wish, signal);
    }
  }

  async renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    return this.request({ ...lease, lifetimeSeconds, exact: true }, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    const entry = await this.#look(lease.externalPort, lease.transport, signal).catch(() => "unknown" as const);
    if (entry === "unknown") return { state: "unknown", lease };
    if (entry === undefined) return { state: "gone", lease };
    if (!this.#table.isOurs(entry, lease) || !entry.enabled) return { state: "taken", lease };
    const shown = entry.leaseSeconds > 0 ? this.#clock.unixNow() + entry.leaseSeconds * 1000 : lease.expiresAt;
    const expiresAt = lease.expiresAt === 0 ? 0 : Math.min(shown, lease.expiresAt);
    return { state: "held", lease: { ...lease, expiresAt, externalAddress: this.#externalAddress, verified: true } };
  }

  async release(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const before = await this.check(lease, signal);
    if (before.state === "gone" || before.state === "taken") return true;
    // What DeletePortMapping answers is no evidence: routers say 200 to everything, or 606 to what they do.
    await this.connection.deletePortMapping(lease.externalPort, lease.transport, { signal }).catch(() => undefined);
    const after = await this.check(lease, signal);
    return after.state === "gone" || after.state === "taken";
  }

  async probe(signal?: AbortSignal): Promise<void> {
    let externalAddress: string;
    try {
      externalAddress = await this.connection.getExternalIpAddress({ signal });
    } catch (error) {
      // A router that does not tell is there all the same.
      if (error instanceof UpnpError && error.kind !== "socket") return;
      throw toGatewayError(error, this.#name);
    }
    this.noteExternalAddress(externalAddress);
  }

  table(): Promise<PortMappingEntry[]> {
    return this.connection.listPortMappings();
  }

  hear(announcement: Announcement): void {
    if (announcement.kind === "byebye") this.emit("gone", "the router said goodbye (SSDP byebye)");
    if (announcement.kind !== "alive") return;
    const { bootId } = announcement;
    // A router that restarted knows no subscribers.
    this.#subscriptionInDoubt = true;
    if (bootId !== undefined && bootId !== this.#bootId) this.emit("suspect", "the router restarted (SSDP boot id)");
    // The same boot id is no proof that it did not: miniupnpd's is the second in which it started. Older routers have none.
    else this.emit("announced", "the router announced itself (SSDP alive)");
    this.#bootId = bootId ?? this.#bootId;
  }

  /** BOOTID.UPNP.ORG as an answer to the search told it, where that came after this gateway was found. */
  noteBootId(bootId: number | undefined): void {
    this.#bootId ??= bootId;
  }

  follow(): void {
    if (this.#subscribe === undefined || (this.#subscription && !this.#subscriptionInDoubt)) return;
    this.#unsubscribed = Promise.all([this.#unsubscribed, this.#subscription?.[Symbol.asyncDispose]()]);
    this.#subscriptionInDoubt = false;
    this.#entries = undefined;
    this.#subscription = this.#subscribe((variables) => {
      const address = variables.get("ExternalIPAddress");
      if (address !== undefined)
        this.noteExternalAddress(addressFamily(address) === 0 || address === "0.0.0.0" ? "" : address);
      const entries = variables.get("PortMappingNumberOfEntries");
      if (entries === undefined) return;
      // The first event tells how things stand.
      if (this.#entries !== undefined && this.#entries !== entries)
        this.emit("suspect", "the router's table of port mappings changed");
      this.#entries = entries;
    });
  }

  async close(): Promise<void> {
    this.removeAllListeners();
    await Promise.all([this.#unsubscribed, this.#subscription?.[Symbol.asyncDispose]()]);
  }

  /** The external address as somebody else learned it (GENA). */
  noteExternalAddress(address: string): void {
    if (address === this.#externalAddress) return;
    const before = this.#externalAddress;
    this.#externalAddress = address;
    this.emit("suspect", `the router's external address changed from ${before || "none"} to ${address || "none"}`);
  }

  /** Adds the entry, repairing what the router objects to as long as something is left to repair. */
  async #add(wish: Wish, signal: AbortSignal | undefined): Promise<{ lifetimeSeconds: number; description: string }> {
    const first = this.#permanentOnly ? 0 : Math.min(wish.lifetimeSeconds, this.#leaseCap);
    let lease = first;
    let description = plainText(wish.description);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.connection.addPortMapping(
          { ...wish, protocol: wish.transport, leaseSeconds: lease, description },
          { signal },
        );
        // Remembered only when it was the cure.
        if (lease !== first) this.#leaseCap = lease;
        return { lifetimeSeconds: lease, description };
      } catch (error) {
        if (!(error instanceof UpnpError) || error.kind !== "fault" || attempt >= MAX_ATTEMPTS)
          throw this.#explain(error, wish);
        if (error.code === 725 && lease !== 0) {
          this.#permanentOnly = true;
          lease = 0;
        } else if ((error.code === 402 || error.code === 501) && lease > MODEST_LEASE) {
          // In the words of some routers: this lease is too long, or no lease is possible.
          lease = MODEST_LEASE;
        } else if ((error.code === 402 || error.code === 501) && lease > 0) {
          lease = 0;
        } else if ((error.code === 402 || error.code === 605) && description !== PLAIN_DESCRIPTION) {
          description = PLAIN_DESCRIPTION;
        } else {
          throw this.#explain(error, wish);
        }
      }
    }
  }

  /** IGD:2 chooses a port itself. It would also re-point an entry of our own address, so what it chose is read back. */
  async #addAny(wish: Wish, signal: AbortSignal | undefined): Promise<Lease> {
    const lifetimeSeconds = this.#permanentOnly ? 0 : Math.min(wish.lifetimeSeconds, this.#leaseCap);
    const description = plainText(wish.description);
    // Asked for a port that we know to be ours to overwrite it would take it from our neighbour on this host: ask for another.
    const free = await this.#freePortNear(wish, signal);
    try {
      const externalPort = await this.connection.addAnyPortMapping(
        { ...wish, externalPort: free, protocol: wish.transport, leaseSeconds: lifetimeSeconds, description },
        { signal },
      );
      return await this.#readBack({ ...wish, externalPort, lifetimeSeconds, description }, signal);
    } catch (error) {
      throw this.#explain(error, wish);
    }
  }

  async #freePortNear(wish: Wish, signal: AbortSignal | undefined): Promise<number> {
    for (let step = 1; step <= 4; step++) {
      const port = wish.externalPort + step <= 65535 ? wish.externalPort + step : wish.externalPort - step;
      if ((await this.#look(port, wish.transport, signal)) === undefined) return port;
    }
    throw new GatewayError("conflict", `${describePort(wish)} and its neighbours are taken`);
  }

  async #readBack(wish: Wish, signal: AbortSignal | undefined): Promise<Lease> {
    const entry = await this.#look(wish.externalPort, wish.transport, signal);
    if (entry === undefined) {
      throw new GatewayError(
        "conflict",
        `the router said yes to ${describePort(wish)}, but its table does not have it`,
      );
    }
    if (entry !== "unknown" && !this.#table.isOurs(entry, wish)) {
      // Not ours to remove: somebody took it between question and answer.
      throw new GatewayError(
        "conflict",
        `${describePort(wish)} was taken meanwhile by ${describeOwner(entry, this.localAddress)}`,
      );
    }
    if (entry !== "unknown" && !entry.enabled) {
      await this.connection.deletePortMapping(wish.externalPort, wish.transport, { signal }).catch(() => undefined);
      throw new GatewayError("conflict", `the router made an entry for ${describePort(wish)}, but keeps it disabled`);
    }
    const shown = entry === "unknown" ? 0 : entry.leaseSeconds;
    // A router that shows no lease where one was asked for may have one all the same: renewing is harmless.
    const lifetimeSeconds =
      wish.lifetimeSeconds === 0 ? 0 : shown > 0 ? Math.min(shown, wish.lifetimeSeconds) : wish.lifetimeSeconds;
    return {
      transport: wish.transport,
      internalAddress: this.localAddress,
      internalPort: wish.internalPort,
      externalAddress: this.#externalAddress,
      externalPort: wish.externalPort,
      description: wish.description,
      lifetimeSeconds,
      expiresAt: lifetimeSeconds === 0 ? 0 : this.#clock.unixNow() + lifetimeSeconds * 1000,
      verified: entry !== "unknown",
    };
  }

  /** Who has a port, as {@link PortMappingTable.find} says. @throws {GatewayError} unreachable */
  async #look(
    port: number,
    transport: Transport,
    signal: AbortSignal | undefined,
  ): Promise<PortMappingEntry | undefined | "unknown"> {
    try {
      return await this.#table.find(port, transport, signal);
    } catch (error) {
      throw this.#explain(error, undefined);
    }
  }

  #explain(error: unknown, wish: Wish | undefined): unknown {
    return explain(error, wish, this.info);
  }
}
