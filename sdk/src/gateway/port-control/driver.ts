import { EventEmitter } from "node:events";
import { type Clock } from "../../net/clock.ts";
import {
  type Announcement,
  type Gateway,
  GatewayError,
  type GatewayErrorKind,
  type GatewayEvents,
  type Lease,
  type LeaseCheck,
  type PortRequest,
} from "../gateway.ts";
import type { GatewayInfo } from "../types.ts";
import { EpochTracker } from "./epoch.ts";
import type { RetransmitOptions } from "./retransmit.ts";
import { NoAnswer, type PortControlSocket } from "./socket.ts";

/** Neither protocol has permanent mappings: a request for one asks for this long. */
const LONGEST_REQUEST_SECONDS = 86_400;
/** RFC 6887 section 15: a client believes no longer lifetime than 24 hours, whatever the server grants. */
const LONGEST_BELIEVED_SECONDS = 86_400;
/** The shortest lifetime that RFC 6887 section 15 recommends to servers. A check renews for no less. */
const SHORTEST_LIFETIME_SECONDS = 120;

/** What a result code means for the mapper, and what the person who hosts can do. */
export interface ResultMeaning {
  kind: GatewayErrorKind;
  /** The code's name follows in brackets. */
  what: string | ((port: string) => string);
  advice?: string;
}

const UNKNOWN_RESULT: ResultMeaning = { kind: "refused", what: "the router refused" };

/** Where PCP and NAT-PMP differ, as data. */
export interface PortControlProtocol {
  via: "pcp" | "nat-pmp";
  /** As messages to people call it. */
  title: string;
  /** By result code. */
  resultNames: readonly string[];
  /** By result code. */
  meanings: Readonly<Record<number, ResultMeaning>>;
  /** For a request that decides something. */
  schedule: RetransmitOptions;
  /** For giving a port back. */
  releaseSchedule: RetransmitOptions;
  /** For a sign of life. */
  probeSchedule: RetransmitOptions;
}

/** A mapping as a response grants it. */
export interface PortControlGrant {
  externalAddress: string;
  externalPort: number;
  lifetimeSeconds: number;
  nonce?: Uint8Array | undefined;
}

export interface PortControlGatewayOptions {
  /** Shared with the driver of the other protocol. */
  socket: PortControlSocket;
  clock: Clock;
  /** `""` while it is not known. */
  externalAddress: string;
  /** Of the answer by which the gateway was found. */
  epoch?: number | undefined;
  /** See {@link Gateway.rank}. Default 0. */
  rank?: number | undefined;
}

/** What the drivers of PCP (RFC 6887) and NAT-PMP (RFC 6886) share: one socket, one epoch, leases that only renewing shows. */
export abstract class PortControlGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly localAddress: string;
  readonly rank: number;
  protected readonly socket: PortControlSocket;
  protected externalAddress: string;
  readonly #protocol: PortControlProtocol;
  readonly #clock: Clock;
  readonly #epoch: EpochTracker;

  constructor(
    protocol: PortControlProtocol,
    { socket, clock, externalAddress, epoch, rank = 0 }: PortControlGatewayOptions,
  ) {
    super();
    this.#protocol = protocol;
    this.socket = socket.share();
    this.localAddress = socket.localAddress;
    this.rank = rank;
    this.externalAddress = externalAddress;
    this.#clock = clock;
    this.#epoch = new EpochTracker(protocol.via);
    if (epoch !== undefined) this.#epoch.observe(epoch, clock.now());
  }

  get info(): GatewayInfo {
    const { via, title } = this.#protocol;
    return { via, name: `${title} router`, address: this.socket.gateway, externalAddress: this.externalAddress };
  }

  get id(): string {
    return `${this.#protocol.via} ${this.socket.gateway} ${this.localAddress}`;
  }

  async request(request: PortRequest, signal?: AbortSignal): Promise<Lease> {
    const lifetimeSeconds = request.lifetimeSeconds || LONGEST_REQUEST_SECONDS;
    const granted = await this.map({ ...request, lifetimeSeconds }, signal);
    if (granted.externalPort === 0) throw new GatewayError("refused", "the router granted a mapping without a port");
    const believed = Math.min(granted.lifetimeSeconds, LONGEST_BELIEVED_SECONDS);
    return {
      transport: request.transport,
      internalAddress: this.localAddress,
      internalPort: request.internalPort,
      externalAddress: granted.externalAddress,
      externalPort: granted.externalPort,
      description: request.description,
      lifetimeSeconds: granted.lifetimeSeconds,
      expiresAt: this.#clock.unixNow() + believed * 1000,
      // The server's response is all there is: it shows no table to compare with.
      verified: true,
      nonce: granted.nonce,
    };
  }

  /** Suggests the port and address that were assigned (RFC 6886 section 3.3, RFC 6887 section 11.2.1). */
  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    return this.request({ ...lease, exact: false, lifetimeSeconds }, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    const lifetimeSeconds = Math.max(lease.lifetimeSeconds, SHORTEST_LIFETIME_SECONDS);
    try {
      return { state: "held", lease: await this.renew(lease, lifetimeSeconds, signal) };
    } catch (error) {
      if (error instanceof GatewayError && error.kind !== "unreachable") return { state: "gone", lease };
      return { state: "unknown", lease };
    }
  }

  abstract release(lease: Lease, signal?: AbortSignal): Promise<boolean>;

  abstract probe(signal?: AbortSignal): Promise<void>;

  onAnnouncement(announcement: Announcement): boolean {
    if (announcement.from !== this.socket.gateway) return false;
    const { kind } = announcement;
    if (kind !== "pcp" && kind !== "nat-pmp") return true;
    // A server announces itself after a restart (RFC 6887 section 14.1.1) or a change of its address (RFC 6886 section 3.2.1). Its
    // sender can be forged, and an epoch that still fits proves nothing: neither is noted, and the server itself is asked.
    this.emit("announced", `the router announced itself (${this.#protocol.title})`);
    return true;
  }

  async close(): Promise<void> {
    this.removeAllListeners();
    this.socket[Symbol.dispose]();
  }

  /** Asks for a mapping and reads the answer. @throws {GatewayError} */
  protected abstract map(request: PortRequest, signal: AbortSignal | undefined): Promise<PortControlGrant>;

  /** Sends a request, and again by schedule, until `read` accepts an answer. @throws {GatewayError} unreachable */
  protected async ask<T>(
    bytes: Uint8Array,
    read: (answer: Uint8Array) => T | undefined,
    schedule: RetransmitOptions,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      return await this.socket.request(bytes, read, schedule, signal);
    } catch (error) {
      throw error instanceof NoAnswer ? new GatewayError("unreachable", error.message, { cause: error }) : error;
    }
  }

  /** Takes note of an epoch, and of an external address. Emits `suspect` where something changed. */
  protected observe(epoch: number, externalAddress: string = this.externalAddress): void {
    const isValid = this.#epoch.observe(epoch, this.#clock.now());
    const before = this.externalAddress;
    this.externalAddress = externalAddress;
    if (!isValid) this.emit("suspect", `the router restarted and lost its state (${this.#protocol.title} epoch)`);
    else if (externalAddress !== before) this.emit("suspect", addressChanged(before, externalAddress));
  }

  /** A refusal in words. */
  protected explain(code: number, { transport, externalPort }: PortRequest): GatewayError {
    const { meanings, resultNames } = this.#protocol;
    const { kind, what, advice } = meanings[code] ?? UNKNOWN_RESULT;
    const subject = typeof what === "string" ? what : what(`${transport.toUpperCase()} port ${externalPort}`);
    const name = `${resultNames[code] ?? "unknown"}, ${code}`;
    return new GatewayError(kind, `${subject} (${name})${advice === undefined ? "" : `: ${advice}`}`, { code });
  }
}

/** In words, for `suspect`. */
export function addressChanged(before: string, now: string): string {
  return `the router's external address changed from ${before || "none"} to ${now || "none"}`;
}
