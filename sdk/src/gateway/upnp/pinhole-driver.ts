import { EventEmitter } from "node:events";
import { type Clock } from "../../net/clock.ts";
import {
  type Announcement,
  type Gateway,
  GatewayError,
  type GatewayEvents,
  type Lease,
  type LeaseCheck,
  type PortRequest,
} from "../gateway.ts";
import type { GatewayInfo } from "../types.ts";
import { FirewallErrorCode, UpnpError, UpnpErrorCode } from "./service/errors.ts";
import type { FirewallControl } from "./service/firewall.ts";

/** WANIPv6FirewallControl:1 section 2.3.6: a pinhole lives for at most a day. */
const MAX_LEASE_SECONDS = 86_400;
/** What routers say of a pinhole that they do not know: the second is miniupnpd. */
const NO_PINHOLE: ReadonlySet<number> = new Set([FirewallErrorCode.NoSuchEntry, UpnpErrorCode.InvalidArgs]);

/**
 * The driver of an IPv6 firewall. Nothing is translated: the address and the port outside are our own. The requests come from the
 * address that the hole leads to, since gateways check that.
 */
export class PinholeGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly localAddress: string;
  /** It is asked at the default gateway's address alone. */
  readonly rank = 0;
  readonly firewall: FirewallControl;
  readonly #clock: Clock;
  readonly #name: string;
  /** The IPv4 address that it announces itself from. */
  readonly #announcesFrom: string;
  readonly #ids = new Map<string, number>();

  constructor(
    firewall: FirewallControl,
    { name, clock, announcesFrom }: { name: string; clock: Clock; announcesFrom: string },
  ) {
    super();
    this.firewall = firewall;
    this.#announcesFrom = announcesFrom;
    this.localAddress = firewall.target.localAddress;
    this.#name = name;
    this.#clock = clock;
  }

  get info(): GatewayInfo {
    return { via: "upnp", name: this.#name, address: this.firewall.target.address, externalAddress: this.localAddress };
  }

  get id(): string {
    const { address, controlUrl } = this.firewall.target;
    return `upnp ${address} ${this.localAddress} ${controlUrl.pathname}`;
  }

  async request(request: PortRequest, signal?: AbortSignal): Promise<Lease> {
    if (request.externalPort !== request.internalPort) {
      throw new GatewayError(
        "same-port",
        "an IPv6 firewall translates nothing: the port is the same inside and outside",
      );
    }
    const lifetimeSeconds = Math.min(request.lifetimeSeconds || MAX_LEASE_SECONDS, MAX_LEASE_SECONDS);
    const key = `${request.transport} ${request.internalPort}`;
    const known = this.#ids.get(key);
    try {
      if (known !== undefined) {
        const prolonged = await this.firewall.updatePinhole(known, lifetimeSeconds, { signal }).then(
          () => true,
          (error: unknown) => {
            if (error instanceof UpnpError && error.kind === "fault") return false;
            throw error;
          },
        );
        if (prolonged) return this.#lease(request, lifetimeSeconds);
      }
      this.#ids.set(
        key,
        await this.firewall.addPinhole(request.transport, request.internalPort, lifetimeSeconds, { signal }),
      );
    } catch (error) {
      throw explain(error);
    }
    return this.#lease(request, lifetimeSeconds);
  }

  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    return this.request({ ...lease, lifetimeSeconds, exact: true }, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    const id = this.#ids.get(`${lease.transport} ${lease.internalPort}`);
    if (id === undefined) return { state: "gone", lease };
    try {
      await this.firewall.getPinholePackets(id, { signal });
      return { state: "held", lease };
    } catch (error) {
      if (error instanceof UpnpError && error.kind === "fault") {
        return { state: NO_PINHOLE.has(error.code) ? "gone" : "held", lease };
      }
      return { state: "unknown", lease };
    }
  }

  async release(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const key = `${lease.transport} ${lease.internalPort}`;
    // After a crash the number is not known: the router answers a second request for the same hole with it.
    const id =
      this.#ids.get(key) ??
      (await this.firewall.addPinhole(lease.transport, lease.internalPort, 1, { signal }).catch(() => undefined));
    if (id === undefined) return false;
    await this.firewall.deletePinhole(id, { signal }).catch(() => undefined);
    this.#ids.set(key, id);
    const { state } = await this.check(lease, signal);
    if (state === "gone") this.#ids.delete(key);
    return state === "gone";
  }

  async probe(signal?: AbortSignal): Promise<void> {
    try {
      await this.firewall.getFirewallStatus({ signal });
    } catch (error) {
      throw explain(error);
    }
  }

  onAnnouncement(announcement: Announcement): boolean {
    if (announcement.from !== this.#announcesFrom) return false;
    if (announcement.kind === "byebye") this.emit("gone", "the router said goodbye (SSDP byebye)");
    if (announcement.kind === "alive") this.emit("announced", "the router announced itself (SSDP alive)");
    return true;
  }

  async close(): Promise<void> {
    this.removeAllListeners();
  }

  #lease(request: PortRequest, lifetimeSeconds: number): Lease {
    return {
      transport: request.transport,
      internalAddress: this.localAddress,
      internalPort: request.internalPort,
      externalAddress: this.localAddress,
      externalPort: request.internalPort,
      description: request.description,
      lifetimeSeconds,
      expiresAt: this.#clock.unixNow() + lifetimeSeconds * 1000,
      verified: true,
    };
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof UpnpError)) return error;
  if (error.kind === "socket") return new GatewayError("unreachable", error.message, { cause: error });
  const { code } = error;
  return new GatewayError(code === FirewallErrorCode.PinholeSpaceExhausted ? "full" : "refused", wordsOf(error), {
    code: code || undefined,
    cause: error,
  });
}

function wordsOf({ code, message }: UpnpError): string {
  switch (code) {
    case FirewallErrorCode.PinholeSpaceExhausted:
      return `the router has no room for another pinhole (${code})`;
    case FirewallErrorCode.FirewallDisabled:
      return `the router's IPv6 firewall is switched off (${code}): nothing needs to be opened`;
    case FirewallErrorCode.InboundPinholeNotAllowed:
    case UpnpErrorCode.ActionNotAuthorized:
      return `the router does not let programs open pinholes (${code}): allow it in the router's settings`;
    default:
      return `the router refused: ${message}`;
  }
}
