import { EventEmitter } from "node:events";
import type { Clock } from "../../net/clock.ts";
import type { Announcement } from "../announcements.ts";
import { type Gateway, GatewayError, type GatewayEvents, type Lease, type LeaseCheck, type Wish } from "../gateway.ts";
import type { GatewayInfo, Transport } from "../types.ts";
import { UpnpError } from "./errors.ts";
import type { HttpClient } from "./http.ts";
import { type CallOptions, callAction, type SoapArguments, type SoapTarget } from "./soap.ts";
import { text, type XmlElement } from "./xml.ts";

/** WANIPv6FirewallControl:1 section 2.3.6: a pinhole lives for at most a day. */
const MAX_LEASE = 86_400;
/** IANA protocol numbers. */
const PROTOCOLS: Readonly<Record<Transport, number>> = { udp: 17, tcp: 6 };

/** The firewall service of a gateway (WANIPv6FirewallControl:1 section 2.5). */
export class FirewallControl {
  readonly target: SoapTarget;
  readonly #http: HttpClient;

  constructor(target: SoapTarget, http: HttpClient) {
    this.target = target;
    this.#http = http;
  }

  async getFirewallStatus(options?: CallOptions): Promise<{ enabled: boolean; inboundPinholeAllowed: boolean }> {
    const answer = await this.#call("GetFirewallStatus", [], options);
    const isSet = (name: string): boolean => /^(?:1|true|yes)$/i.test(text(answer, name) ?? "");
    return { enabled: isSet("FirewallEnabled"), inboundPinholeAllowed: isSet("InboundPinholeAllowed") };
  }

  /** Opens a hole to our own address; gives its number. */
  async addPinhole(transport: Transport, port: number, leaseSeconds: number, options?: CallOptions): Promise<number> {
    const answer = await this.#call(
      "AddPinhole",
      [
        ["RemoteHost", ""],
        ["RemotePort", 0],
        ["InternalClient", this.target.localAddress],
        ["InternalPort", port],
        ["Protocol", PROTOCOLS[transport]],
        ["LeaseTime", leaseSeconds],
      ],
      options,
    );
    const id = text(answer, "UniqueID") ?? "";
    if (!/^\d{1,5}$/.test(id))
      throw new UpnpError("response", "the router's answer lacks UniqueID", { serviceType: this.target.serviceType });
    return Number(id);
  }

  async updatePinhole(id: number, leaseSeconds: number, options?: CallOptions): Promise<void> {
    await this.#call(
      "UpdatePinhole",
      [
        ["UniqueID", id],
        ["NewLeaseTime", leaseSeconds],
      ],
      options,
    );
  }

  async deletePinhole(id: number, options?: CallOptions): Promise<void> {
    await this.#call("DeletePinhole", [["UniqueID", id]], options);
  }

  /** Whether packets pass; an optional action, and 709 means that none came yet. */
  async checkPinholeWorking(id: number, options?: CallOptions): Promise<boolean> {
    const answer = await this.#call("CheckPinholeWorking", [["UniqueID", id]], options);
    return /^(?:1|true|yes)$/i.test(text(answer, "IsWorking") ?? "");
  }

  /** Packets that came through; 704 when there is no such hole. */
  async getPinholePackets(id: number, options?: CallOptions): Promise<number> {
    const answer = await this.#call("GetPinholePackets", [["UniqueID", id]], options);
    return Number(text(answer, "PinholePackets") ?? 0) || 0;
  }

  #call(action: string, input: SoapArguments, options?: CallOptions): Promise<XmlElement> {
    return callAction(this.#http, this.target, action, input, options);
  }
}

/**
 * An IPv6 firewall as a {@link Gateway}: nothing is translated, so the address and the port outside are our own. The requests
 * come from the address that the hole leads to, since gateways check that.
 */
export class PinholeGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly localAddress: string;
  readonly announcesFrom: string;
  readonly firewall: FirewallControl;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #ids = new Map<string, number>();

  constructor(
    firewall: FirewallControl,
    { name, clock, announcesFrom }: { name: string; clock: Clock; announcesFrom: string },
  ) {
    super();
    this.firewall = firewall;
    this.announcesFrom = announcesFrom;
    this.localAddress = firewall.target.localAddress;
    this.#name = name;
    this.#clock = clock;
  }

  get info(): GatewayInfo {
    return { via: "upnp", name: this.#name, address: this.firewall.target.address, externalAddress: this.localAddress };
  }

  async request(wish: Wish, signal?: AbortSignal): Promise<Lease> {
    if (wish.externalPort !== wish.internalPort) {
      throw new GatewayError(
        "same-port",
        "an IPv6 firewall translates nothing: the port is the same inside and outside",
      );
    }
    const lifetimeSeconds = Math.min(wish.lifetimeSeconds || MAX_LEASE, MAX_LEASE);
    const key = `${wish.transport} ${wish.internalPort}`;
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
        if (prolonged) return this.#lease(wish, lifetimeSeconds);
      }
      this.#ids.set(
        key,
        await this.firewall.addPinhole(wish.transport, wish.internalPort, lifetimeSeconds, { signal }),
      );
    } catch (error) {
      throw explain(error);
    }
    return this.#lease(wish, lifetimeSeconds);
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
        // miniupnpd says 402 of a number that it does not know.
        return { state: error.code === 704 || error.code === 402 ? "gone" : "held", lease };
      }
      return { state: "unknown", lease };
    }
  }

  async release(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const key = `${lease.transport} ${lease.internalPort}`;
    // After a crash the number is not known: asked for again, an existing hole answers with its own.
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

  hear(announcement: Announcement): void {
    if (announcement.kind === "byebye") this.emit("gone", "the router said goodbye (SSDP byebye)");
    if (announcement.kind === "alive") this.emit("announced", "the router announced itself (SSDP alive)");
  }

  async close(): Promise<void> {
    this.removeAllListeners();
  }

  #lease(wish: Wish, lifetimeSeconds: number): Lease {
    return {
      transport: wish.transport,
      internalAddress: this.localAddress,
      internalPort: wish.internalPort,
      externalAddress: this.localAddress,
      externalPort: wish.internalPort,
      description: wish.description,
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
  const words =
    code === 701
      ? "the router has no room for another pinhole (701)"
      : code === 702
        ? "the router's IPv6 firewall is switched off (702): nothing needs to be opened"
        : code === 703 || code === 606
          ? `the router does not let programs open pinholes (${code}): allow it on the router's page`
          : `the router refused: ${error.message}`;
  return new GatewayError(code === 701 ? "full" : "refused", words, { code: code || undefined, cause: error });
}
