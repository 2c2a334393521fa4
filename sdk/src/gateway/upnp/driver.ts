import { EventEmitter } from "node:events";
import { addressFamily } from "../../net/address.ts";
import { type Clock } from "../../net/clock.ts";
import {
  type Announcement,
  type Gateway,
  GatewayError,
  type GatewayEvents,
  type Lease,
  type LeaseCheck,
  type PortMappingEntry,
  type PortRequest,
} from "../gateway.ts";
import type { GatewayInfo, Transport } from "../types.ts";
import { describeOwner, describePort, isOurs, PLAIN_DESCRIPTION, plainText } from "./entries.ts";
import { explain, toGatewayError } from "./explain.ts";
import { UpnpError, UpnpErrorCode } from "./service/errors.ts";
import type { SubscriptionOptions } from "./service/gena.ts";
import type { WanConnection } from "./service/igd.ts";

/** WANIPConnection:2 section 2.3.16 recommends this lease: most routers that refuse longer ones take it. */
const MODEST_LEASE_SECONDS = 3600;
/** Requests for one port, repairs included. */
const MAX_ATTEMPTS = 6;
/** What routers answer to a lease that they cannot give, beside 725. */
const REFUSES_LEASE: ReadonlySet<number> = new Set([UpnpErrorCode.InvalidArgs, UpnpErrorCode.ActionFailed]);
/** What routers answer to a description that they cannot take. */
const REFUSES_DESCRIPTION: ReadonlySet<number> = new Set([
  UpnpErrorCode.InvalidArgs,
  UpnpErrorCode.StringArgumentTooLong,
]);

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

/** The driver of UPnP IGD:1 and IGD:2: it asks before it takes, reads back, and understands what careless routers mean. */
export class UpnpGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly connection: WanConnection;
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
  /** The router answered 725. */
  #permanentOnly = false;
  /** The longest lease that the router took. */
  #leaseCapSeconds = Number.POSITIVE_INFINITY;

  constructor(connection: WanConnection, { name, address, externalAddress, clock, bootId, subscribe }: Options) {
    super();
    this.connection = connection;
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

  async request(request: PortRequest, signal?: AbortSignal): Promise<Lease> {
    try {
      const entry = await this.#look(request.externalPort, request.transport, signal);
      if (entry !== undefined && entry !== "unknown" && !isOurs(entry, this.localAddress, request)) {
        throw new GatewayError(
          "conflict",
          `${describePort(request)} belongs to ${describeOwner(entry, this.localAddress)}`,
        );
      }
      const granted = await this.#add(request, signal);
      return await this.#readBack({ ...request, ...granted }, signal);
    } catch (error) {
      const mayChoose = !request.exact && this.connection.version >= 2;
      if (!mayChoose || !(error instanceof GatewayError) || error.kind !== "conflict") throw error;
      return this.#addAny(request, signal);
    }
  }

  async renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    return this.request({ ...lease, lifetimeSeconds, exact: true }, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    const entry = await this.#look(lease.externalPort, lease.transport, signal).catch(() => "unknown" as const);
    if (entry === "unknown") return { state: "unknown", lease };
    if (entry === undefined) return { state: "gone", lease };
    if (!isOurs(entry, this.localAddress, lease) || !entry.enabled) return { state: "taken", lease };
    const shown = entry.leaseSeconds > 0 ? this.#clock.unixNow() + entry.leaseSeconds * 1000 : lease.expiresAt;
    const expiresAt = lease.expiresAt === 0 ? 0 : Math.min(shown, lease.expiresAt);
    return { state: "held", lease: { ...lease, expiresAt, externalAddress: this.#externalAddress, verified: true } };
  }

  async release(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const before = await this.check(lease, signal);
    if (before.state === "gone" || before.state === "taken") return true;
    // The answer to DeletePortMapping proves nothing: some routers say 200 to everything, some 606 to what they do.
    await this.connection.deletePortMapping(lease.externalPort, lease.transport, { signal }).catch(() => undefined);
    const after = await this.check(lease, signal);
    return after.state === "gone" || after.state === "taken";
  }

  async probe(signal?: AbortSignal): Promise<void> {
    let externalAddress: string;
    try {
      externalAddress = await this.connection.getExternalIpAddress({ signal });
    } catch (error) {
      // A router that does not tell its address is still there.
      if (error instanceof UpnpError && error.kind !== "socket") return;
      throw toGatewayError(error, this.#name);
    }
    this.noteExternalAddress(externalAddress);
  }

  table(): Promise<PortMappingEntry[]> {
    return this.connection.listPortMappings();
  }

  onAnnouncement(announcement: Announcement): boolean {
    if (announcement.from !== this.#address) return false;
    if (announcement.kind === "byebye") this.emit("gone", "the router said goodbye (SSDP byebye)");
    if (announcement.kind !== "alive") return true;
    const { bootId } = announcement;
    // A router that restarted knows no subscribers.
    this.#subscriptionInDoubt = true;
    if (bootId !== undefined && bootId !== this.#bootId) this.emit("suspect", "the router restarted (SSDP boot id)");
    // The same boot id does not prove that it did not restart: miniupnpd's is the second of its start. Older routers have none.
    else this.emit("announced", "the router announced itself (SSDP alive)");
    this.#bootId = bootId ?? this.#bootId;
    return true;
  }

  /** BOOTID.UPNP.ORG of an answer to the search that came after this gateway was found. */
  noteBootId(bootId: number | undefined): void {
    this.#bootId ??= bootId;
  }

  subscribe(): void {
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
      // The first event tells the number as it is, and no change.
      if (this.#entries !== undefined && this.#entries !== entries)
        this.emit("suspect", "the router's table of port mappings changed");
      this.#entries = entries;
    });
  }

  async close(): Promise<void> {
    this.removeAllListeners();
    await Promise.all([this.#unsubscribed, this.#subscription?.[Symbol.asyncDispose]()]);
  }

  /** The external address, as an event told it (GENA). */
  noteExternalAddress(address: string): void {
    if (address === this.#externalAddress) return;
    const before = this.#externalAddress;
    this.#externalAddress = address;
    this.emit("suspect", `the router's external address changed from ${before || "none"} to ${address || "none"}`);
  }

  /** Adds the entry, and repairs what the router objects to while there is something left to repair. */
  async #add(
    request: PortRequest,
    signal: AbortSignal | undefined,
  ): Promise<{ lifetimeSeconds: number; description: string }> {
    const first = this.#permanentOnly ? 0 : Math.min(request.lifetimeSeconds, this.#leaseCapSeconds);
    let lease = first;
    let description = plainText(request.description);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.connection.addPortMapping(
          { ...request, protocol: request.transport, leaseSeconds: lease, description },
          { signal },
        );
        // Remembered only where a shorter lease was the cure.
        if (lease !== first) this.#leaseCapSeconds = lease;
        return { lifetimeSeconds: lease, description };
      } catch (error) {
        if (!(error instanceof UpnpError) || error.kind !== "fault" || attempt >= MAX_ATTEMPTS)
          throw this.#explain(error, request);
        if (error.code === UpnpErrorCode.OnlyPermanentLeasesSupported && lease !== 0) {
          this.#permanentOnly = true;
          lease = 0;
        } else if (REFUSES_LEASE.has(error.code) && lease > MODEST_LEASE_SECONDS) {
          // Some routers mean: this lease is too long, or no lease is possible.
          lease = MODEST_LEASE_SECONDS;
        } else if (REFUSES_LEASE.has(error.code) && lease > 0) {
          lease = 0;
        } else if (REFUSES_DESCRIPTION.has(error.code) && description !== PLAIN_DESCRIPTION) {
          description = PLAIN_DESCRIPTION;
        } else {
          throw this.#explain(error, request);
        }
      }
    }
  }

  /** Lets an IGD:2 choose a port. It may re-point an entry of our own address, so its choice is read back. */
  async #addAny(request: PortRequest, signal: AbortSignal | undefined): Promise<Lease> {
    const lifetimeSeconds = this.#permanentOnly ? 0 : Math.min(request.lifetimeSeconds, this.#leaseCapSeconds);
    const description = plainText(request.description);
    // Asked for a port of another program on this computer, it would re-point that entry to us: ask for a free one.
    const free = await this.#freePortNear(request, signal);
    try {
      const externalPort = await this.connection.addAnyPortMapping(
        { ...request, externalPort: free, protocol: request.transport, leaseSeconds: lifetimeSeconds, description },
        { signal },
      );
      return await this.#readBack({ ...request, externalPort, lifetimeSeconds, description }, signal);
    } catch (error) {
      throw this.#explain(error, request);
    }
  }

  async #freePortNear(request: PortRequest, signal: AbortSignal | undefined): Promise<number> {
    for (let step = 1; step <= 4; step++) {
      const port = request.externalPort + step <= 65535 ? request.externalPort + step : request.externalPort - step;
      if ((await this.#look(port, request.transport, signal)) === undefined) return port;
    }
    throw new GatewayError("conflict", `${describePort(request)} and its neighbours are taken`);
  }

  async #readBack(request: PortRequest, signal: AbortSignal | undefined): Promise<Lease> {
    const entry = await this.#look(request.externalPort, request.transport, signal);
    if (entry === undefined) {
      throw new GatewayError(
        "conflict",
        `the router said yes to ${describePort(request)}, but its table does not have it`,
      );
    }
    if (entry !== "unknown" && !isOurs(entry, this.localAddress, request)) {
      // Somebody took it between question and answer: it is not ours to remove.
      throw new GatewayError(
        "conflict",
        `${describePort(request)} was taken meanwhile by ${describeOwner(entry, this.localAddress)}`,
      );
    }
    if (entry !== "unknown" && !entry.enabled) {
      await this.connection
        .deletePortMapping(request.externalPort, request.transport, { signal })
        .catch(() => undefined);
      throw new GatewayError(
        "conflict",
        `the router made an entry for ${describePort(request)}, but keeps it disabled`,
      );
    }
    const shown = entry === "unknown" ? 0 : entry.leaseSeconds;
    // A router that shows no lease where one was asked for may still keep one: renewing is harmless.
    const lifetimeSeconds =
      request.lifetimeSeconds === 0
        ? 0
        : shown > 0
          ? Math.min(shown, request.lifetimeSeconds)
          : request.lifetimeSeconds;
    return {
      transport: request.transport,
      internalAddress: this.localAddress,
      internalPort: request.internalPort,
      externalAddress: this.#externalAddress,
      externalPort: request.externalPort,
      description: request.description,
      lifetimeSeconds,
      expiresAt: lifetimeSeconds === 0 ? 0 : this.#clock.unixNow() + lifetimeSeconds * 1000,
      verified: entry !== "unknown",
    };
  }

  /** Who has a port, as {@link WanConnection.findPortMapping} says. @throws {GatewayError} unreachable */
  async #look(
    port: number,
    transport: Transport,
    signal: AbortSignal | undefined,
  ): Promise<PortMappingEntry | undefined | "unknown"> {
    try {
      return await this.connection.findPortMapping(port, transport, { signal });
    } catch (error) {
      throw this.#explain(error, undefined);
    }
  }

  #explain(error: unknown, request: PortRequest | undefined): unknown {
    return explain(error, request, this.info);
  }
}
