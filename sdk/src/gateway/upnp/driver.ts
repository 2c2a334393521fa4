import { EventEmitter } from "node:events";
import { isIPv4 } from "node:net";
import type { Clock } from "../../net/clock.ts";
import { sleep } from "../../net/wait.ts";
import { isUnsaid } from "../external-address.ts";
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
import {
  clientOf,
  describeOwner,
  describePort,
  isHeld,
  PLAIN_DESCRIPTION,
  plainText,
  shownAs,
  wasOurs,
} from "./entries.ts";
import { explain, TABLE_MAY_BE_FULL, toGatewayError } from "./explain.ts";
import { UpnpError, UpnpErrorCode } from "./service/errors.ts";
import type { SubscriptionOptions } from "./service/gena.ts";
import { NO_ENTRY, type WanConnection } from "./service/igd.ts";

/** WANIPConnection:2 section 2.3.16 recommends this lease: most routers that refuse longer ones take it. */
const MODEST_LEASE_SECONDS = 3600;
/** Refusals that no other lease or description cures: they are about the port, the table or the program. */
const FINAL: ReadonlySet<number> = new Set([
  UpnpErrorCode.InvalidAction,
  UpnpErrorCode.OutOfSync,
  UpnpErrorCode.OutOfMemory,
  UpnpErrorCode.ActionNotAuthorized,
  UpnpErrorCode.NoSuchEntryInArray,
  UpnpErrorCode.WildCardNotPermittedInSrcIP,
  UpnpErrorCode.WildCardNotPermittedInExtPort,
  UpnpErrorCode.ConflictInMappingEntry,
  UpnpErrorCode.SamePortValuesRequired,
  UpnpErrorCode.NoPortMapsAvailable,
  UpnpErrorCode.ConflictWithOtherMechanisms,
  UpnpErrorCode.WildCardNotPermittedInIntPort,
]);
/** What routers answer to a description that they cannot take. */
const REFUSES_DESCRIPTION: ReadonlySet<number> = new Set([
  UpnpErrorCode.InvalidArgs,
  UpnpErrorCode.ArgumentValueInvalid,
  UpnpErrorCode.StringArgumentTooLong,
]);

/** Between the looks at a table that does not show yet what the router said: 5 s in all. */
const LAG_PAUSES_MS: readonly number[] = [50, 100, 200, 400, 800, 1500, 2000];

interface Options {
  name: string;
  address: string;
  externalAddress: string;
  clock: Clock;
  /** See {@link Gateway.rank}. */
  rank: number;
  /** Why it does not tell its external address. */
  addressProblem?: UpnpError | undefined;
  /** BOOTID.UPNP.ORG of the answer by which it was found. */
  bootId?: number | undefined;
  /** Subscribes to the service's events, where it has some. */
  subscribe?: ((onEvent: SubscriptionOptions["onEvent"]) => AsyncDisposable) | undefined;
}

/** The driver of UPnP IGD:1 and IGD:2: it asks before it takes, reads back, and understands what careless routers mean. */
export class UpnpGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly connection: WanConnection;
  readonly rank: number;
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
  #addressProblem: UpnpError | undefined;
  /** The router answered 725. */
  #permanentOnly = false;
  /** The longest lease that the router took. */
  #leaseCapSeconds = Number.POSITIVE_INFINITY;
  /** The router takes no description but a plain one. */
  #plainOnly = false;
  /** A port was refused with every lease and description: others are not tried with all of them. */
  #refusesAll = false;
  /** Milliseconds that the router's table lagged behind its answers. */
  #lagsMs = 0;
  /** The router said yes, and its table did not show it in time: it is not waited for as long again. */
  #ignores = false;

  constructor(connection: WanConnection, options: Options) {
    super();
    const { name, address, externalAddress, clock, rank, addressProblem, bootId, subscribe } = options;
    this.connection = connection;
    this.rank = rank;
    this.#addressProblem = addressProblem;
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

  get id(): string {
    return `upnp ${this.#address} ${this.localAddress} ${this.connection.target.controlUrl.href}`;
  }

  get addressProblem(): UpnpError | undefined {
    return this.#addressProblem;
  }

  async request(request: PortRequest, signal?: AbortSignal): Promise<Lease> {
    try {
      const before = await this.#look(request.externalPort, request.transport, signal);
      if (isEntry(before) && !wasOurs(before, this.localAddress, request)) {
        throw new GatewayError(
          "conflict",
          `${describePort(request)} belongs to ${describeOwner(before, this.localAddress)}`,
        );
      }
      return await this.#addAndConfirm(request, signal);
    } catch (error) {
      if (request.exact || !(error instanceof GatewayError) || !this.#mayChoose(error)) throw error;
      return this.#addAny(request, error, signal);
    }
  }

  async renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    const request = { ...lease, lifetimeSeconds, exact: true };
    const before = await this.#look(lease.externalPort, lease.transport, signal);
    if (isEntry(before) && !isHeld(before, this.localAddress, lease)) {
      const owner = describeOwner(before, this.localAddress);
      throw new GatewayError("conflict", `${describePort(lease)} belongs to ${owner}`);
    }
    const renewed = await this.#addAndConfirm(request, signal);
    if (isProlonged(lease, renewed, lifetimeSeconds)) return renewed;
    // Some routers keep an entry's first lease whatever is asked: only a new entry lasts longer.
    await this.connection.deletePortMapping(lease.externalPort, lease.transport, { signal }).catch(() => undefined);
    return this.#addAndConfirm(request, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    let entry: PortMappingEntry | "unknown" | undefined;
    try {
      entry = await this.#look(lease.externalPort, lease.transport, signal);
      // A table that lags may show a new entry late.
      if (entry === undefined && this.#lagsMs > 0) {
        await sleep(this.#lagsMs, signal, this.#clock);
        entry = await this.#look(lease.externalPort, lease.transport, signal);
      }
    } catch {
      return { state: "unknown", lease };
    }
    if (entry === "unknown")
      return { state: "unreadable", lease: { ...lease, externalAddress: this.#externalAddress } };
    if (entry === undefined) return { state: "gone", lease };
    if (!isHeld(entry, this.localAddress, lease)) return { state: "taken", lease };
    // What is disabled forwards nothing.
    if (!entry.enabled) return { state: "gone", lease };
    const shown = entry.leaseSeconds > 0 ? this.#clock.unixNow() + entry.leaseSeconds * 1000 : lease.expiresAt;
    const expiresAt = lease.expiresAt === 0 ? 0 : Math.min(shown, lease.expiresAt);
    const verified = lease.verified || names(entry, this.localAddress);
    const { externalAddress } = this.info;
    return { state: "held", lease: { ...lease, expiresAt, externalAddress, verified, shownAs: shownAs(entry) } };
  }

  async release(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const isOurs = lease.isRecalled ? wasOurs : isHeld;
    const look = async (): Promise<"ours" | "other" | "absent" | "unknown"> => {
      const entry = await this.#look(lease.externalPort, lease.transport, signal);
      if (!isEntry(entry)) return entry ?? "absent";
      return isOurs(entry, this.localAddress, lease) ? "ours" : "other";
    };
    try {
      if ((await look()) === "other") return true;
      // An entry that is not shown may be one that a lagging table does not show yet. The answer proves nothing: some routers say
      // 200 to everything, some 606 to what they do.
      let answer = await this.#delete(lease, signal);
      for (const pauseMs of [0, ...LAG_PAUSES_MS]) {
        if (pauseMs > 0) await sleep(pauseMs, signal, this.#clock);
        if (signal?.aborted) return false;
        const after = await look();
        if (after === "absent" || after === "other") return true;
        if (after === "unknown") {
          // Where the table cannot be read, it proves something that there is nothing more to delete.
          if (answer !== "absent") answer = await this.#delete(lease, signal);
          return answer === "absent";
        }
      }
    } catch {
      // Silence: it cannot be told.
    }
    return false;
  }

  async probe(signal?: AbortSignal): Promise<void> {
    let externalAddress: string;
    try {
      externalAddress = usableAddress(await this.connection.getExternalIpAddress({ signal }));
    } catch (error) {
      if (!(error instanceof UpnpError) || error.kind === "socket") throw toGatewayError(error, this.#name);
      // A router that does not tell its address is still there.
      this.#addressProblem = error;
      return;
    }
    this.#addressProblem = undefined;
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
      if (address !== undefined) this.noteExternalAddress(usableAddress(address));
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
    const sent = this.#plainOnly ? PLAIN_DESCRIPTION : plainText(request.description);
    let description = sent;
    // Six requests at most: three leases with each of two descriptions.
    for (;;) {
      try {
        await this.connection.addPortMapping(
          { ...request, protocol: request.transport, leaseSeconds: lease, description },
          { signal },
        );
        // Remembered only where a shorter lease, or another description, was the cure.
        if (lease !== first) this.#leaseCapSeconds = lease;
        if (description !== sent) this.#plainOnly = true;
        return { lifetimeSeconds: lease, description };
      } catch (error) {
        const code = refusalOf(error);
        if (code === undefined || FINAL.has(code)) throw this.#explain(error, request);
        if (code === UpnpErrorCode.OnlyPermanentLeasesSupported && lease !== 0) {
          this.#permanentOnly = true;
          lease = 0;
        } else if (lease > MODEST_LEASE_SECONDS && !this.#refusesAll) {
          // Whatever the code, some routers mean: this lease is too long, or no lease is possible.
          lease = MODEST_LEASE_SECONDS;
        } else if (lease > 0) {
          lease = 0;
        } else if (REFUSES_DESCRIPTION.has(code) && description !== PLAIN_DESCRIPTION && !this.#refusesAll) {
          description = PLAIN_DESCRIPTION;
          lease = first;
        } else {
          this.#refusesAll = true;
          throw this.#explain(error, request);
        }
      }
    }
  }

  /** Whether a refusal leaves it open that the router has a port of its own choice. */
  #mayChoose({ kind }: GatewayError): boolean {
    // A router that lets programs map a range alone may know the action whatever its version.
    return kind === "forbidden" || (this.connection.version >= 2 && (kind === "conflict" || kind === "unexplained"));
  }

  /** Lets the router choose a port. It may re-point an entry of our own address, so its choice is read back. */
  async #addAny(request: PortRequest, refusal: GatewayError, signal: AbortSignal | undefined): Promise<Lease> {
    const lifetimeSeconds = this.#permanentOnly ? 0 : Math.min(request.lifetimeSeconds, this.#leaseCapSeconds);
    const description = plainText(request.description);
    // Asked for a port of another program on this computer, it would re-point that entry to us: ask for a free one.
    const free = refusal.kind === "forbidden" ? request.externalPort : await this.#freePortNear(request, signal);
    let externalPort: number;
    try {
      externalPort = await this.connection.addAnyPortMapping(
        { ...request, externalPort: free, protocol: request.transport, leaseSeconds: lifetimeSeconds, description },
        { signal },
      );
    } catch (error) {
      if (error instanceof UpnpError && error.kind !== "socket") throw refusal;
      throw this.#explain(error, request);
    }
    return this.#confirm({ ...request, externalPort, lifetimeSeconds, description }, signal);
  }

  async #freePortNear(request: PortRequest, signal: AbortSignal | undefined): Promise<number> {
    for (let step = 1; step <= 4; step++) {
      const port = request.externalPort + step <= 65535 ? request.externalPort + step : request.externalPort - step;
      if ((await this.#look(port, request.transport, signal)) === undefined) return port;
    }
    throw new GatewayError("conflict", `${describePort(request)} and its neighbours are taken`);
  }

  async #addAndConfirm(request: PortRequest, signal: AbortSignal | undefined): Promise<Lease> {
    const granted = await this.#add(request, signal);
    return this.#confirm({ ...request, ...granted }, signal);
  }

  /** Looks for what the router said yes to. @throws {GatewayError} it is not there, or does not lead to us */
  async #confirm(request: PortRequest, signal: AbortSignal | undefined): Promise<Lease> {
    const left = this.#lease(request, undefined);
    let entry: PortMappingEntry | "unknown" | undefined;
    try {
      entry = await this.#awaitEntry(request, signal);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new GatewayError("unreachable", message, { cause: error, left });
    }
    if (entry === undefined) {
      const what = `the router said yes to ${describePort(request)}, but its table does not have it`;
      throw new GatewayError("unexplained", `${what}. ${TABLE_MAY_BE_FULL}`, { left });
    }
    if (!isEntry(entry)) return left;
    if (!isHeld(entry, this.localAddress, { ...request, shownAs: undefined })) {
      // Somebody took it between question and answer: it is not ours to remove.
      const owner = describeOwner(entry, this.localAddress);
      throw new GatewayError("conflict", `${describePort(request)} was taken meanwhile by ${owner}`);
    }
    if (!entry.enabled) {
      const what = `the router made an entry for ${describePort(request)}, but keeps it disabled`;
      throw new GatewayError("unexplained", `${what}: see its UPnP settings`, { left });
    }
    return this.#lease(request, entry);
  }

  /** The entry of a port that was just added, when a table shows it that lags behind. */
  async #awaitEntry(
    { externalPort, transport }: PortRequest,
    signal: AbortSignal | undefined,
  ): Promise<PortMappingEntry | "unknown" | undefined> {
    const began = this.#clock.now();
    let entry = await this.#look(externalPort, transport, signal);
    // Some routers have a second way to be asked, and deny in the first what they show in the second.
    if (entry === undefined) entry = await this.#scan(externalPort, transport, signal);
    for (const pauseMs of this.#ignores ? [LAG_PAUSES_MS[0] ?? 0] : LAG_PAUSES_MS) {
      if (entry !== undefined) break;
      await sleep(pauseMs, signal, this.#clock);
      signal?.throwIfAborted();
      entry = await this.#look(externalPort, transport, signal);
      if (entry !== undefined) this.#lagsMs = Math.ceil(this.#clock.now() - began);
    }
    this.#ignores = entry === undefined;
    return entry;
  }

  /** What was granted, as the table shows it where it can be read. */
  #lease(request: PortRequest, entry: PortMappingEntry | undefined): Lease {
    const shown = entry?.leaseSeconds ?? 0;
    // A router that shows no lease where one was asked for may still keep one: renewing is harmless.
    const lifetimeSeconds =
      request.lifetimeSeconds > 0 && shown > 0 ? Math.min(shown, request.lifetimeSeconds) : request.lifetimeSeconds;
    return {
      transport: request.transport,
      internalAddress: this.localAddress,
      internalPort: request.internalPort,
      externalAddress: this.#externalAddress,
      externalPort: request.externalPort,
      description: request.description,
      lifetimeSeconds,
      expiresAt: lifetimeSeconds === 0 ? 0 : this.#clock.unixNow() + lifetimeSeconds * 1000,
      verified: entry !== undefined && names(entry, this.localAddress),
      shownAs: entry && shownAs(entry),
    };
  }

  /** What the router answers: `absent` where it has no such entry. @throws {UpnpError} `socket`: nothing */
  async #delete(lease: Lease, signal: AbortSignal | undefined): Promise<"done" | "absent"> {
    try {
      await this.connection.deletePortMapping(lease.externalPort, lease.transport, { signal });
      return "done";
    } catch (error) {
      if (!(error instanceof UpnpError) || error.kind === "socket") throw error;
      return error.kind === "fault" && NO_ENTRY.has(error.code) ? "absent" : "done";
    }
  }

  /** As {@link #look}, in the table as a whole. */
  async #scan(
    port: number,
    transport: Transport,
    signal: AbortSignal | undefined,
  ): Promise<PortMappingEntry | undefined> {
    const found = await this.connection.scanForPortMapping(port, transport, { signal }).catch((error: unknown) => {
      throw this.#explain(error, undefined);
    });
    return isEntry(found) ? found : undefined;
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

/** A mapping is one of the router's IPv4 address: another family, and what no host has, says nothing of it. */
export function usableAddress(address: string): string {
  return isIPv4(address) && !isUnsaid(address) ? address : "";
}

/** The code of an answer that is a refusal, 0 for one without; `undefined` for silence and for everything else. */
function refusalOf(error: unknown): number | undefined {
  if (!(error instanceof UpnpError) || error.kind === "socket" || error.kind === "address") return undefined;
  return error.kind === "fault" ? error.code : 0;
}

function isEntry(found: PortMappingEntry | "unknown" | undefined): found is PortMappingEntry {
  return found !== undefined && found !== "unknown";
}

/** Whether an entry names this computer: what it leaves out proves nothing. */
function names(entry: PortMappingEntry, localAddress: string): boolean {
  const client = clientOf(entry, localAddress);
  return client === "us" || client === "here";
}

/** Whether a renewal gave a lease as long as the first one, or as long as was asked for. */
function isProlonged(before: Lease, after: Lease, requestedSeconds: number): boolean {
  if (after.lifetimeSeconds === 0) return true;
  // Tables show whole seconds.
  return after.lifetimeSeconds + 2 >= Math.min(before.lifetimeSeconds || requestedSeconds, requestedSeconds);
}
