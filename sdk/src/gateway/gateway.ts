/** The seam between the port mapper and the protocols: what a driver does, and how drivers are found. Knows no driver. */
import type { EventEmitter } from "node:events";
import type { GatewayInfo, GatewayStep, Transport } from "./types.ts";

/** One port of one transport, as a driver is asked for it. */
export interface PortRequest {
  transport: Transport;
  internalPort: number;
  externalPort: number;
  /** Whether only this external port will do. */
  exact: boolean;
  lifetimeSeconds: number;
  description: string;
  /** PCP's, see {@link Gateway.nonceFor}. */
  nonce?: Uint8Array | undefined;
  /** The external address to suggest again when a lease is renewed (PCP). */
  externalAddress?: string | undefined;
}

/** What a gateway granted. */
export interface Lease {
  readonly transport: Transport;
  readonly internalAddress: string;
  readonly internalPort: number;
  readonly externalAddress: string;
  readonly externalPort: number;
  readonly description: string;
  /** Seconds granted, 0 for a permanent entry. */
  readonly lifetimeSeconds: number;
  /** As `Date.now()` counts, 0 for a permanent entry. */
  readonly expiresAt: number;
  readonly verified: boolean;
  /** PCP's nonce: only its owner may change the mapping. */
  readonly nonce?: Uint8Array | undefined;
}

/** An entry of a router's table of port mappings. */
export interface PortMappingEntry {
  remoteHost: string;
  externalPort: number;
  protocol: Transport;
  internalPort: number;
  internalClient: string;
  enabled: boolean;
  description: string;
  /** Seconds that are left; 0 is a permanent entry. */
  leaseSeconds: number;
}

export type GatewayErrorKind =
  /** Somebody else has the port: another one may be free. */
  | "conflict"
  /** The gateway wants the same number inside and outside. */
  | "same-port"
  /** Its table is full. */
  | "full"
  /** It said no. */
  | "refused"
  /** It is behind another NAT, or has no external address: its ports lead nowhere. */
  | "private"
  /** It does not answer. */
  | "unreachable";

/** Why a gateway did not do what it was asked. */
export class GatewayError extends Error {
  readonly kind: GatewayErrorKind;
  readonly code: number | undefined;
  override name = "GatewayError";

  constructor(
    kind: GatewayErrorKind,
    message: string,
    { code, cause }: { code?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
  }
}

export interface GatewayEvents {
  /** Its mappings may be gone: it restarted, its address changed, its table changed. */
  suspect: [reason: string];
  /** It announced itself, as routers do from time to time and after a restart. It did not say which of the two. */
  announced: [reason: string];
  /** It said goodbye, or another router took its place. */
  gone: [reason: string];
}

/** What a router says unasked. Any device on the LAN can say it: it is a reason to look, never a fact. */
export type Announcement =
  | { kind: "pcp"; from: string; epoch: number }
  | { kind: "nat-pmp"; from: string; epoch: number; externalAddress: string }
  | { kind: "alive" | "byebye"; from: string; bootId: number | undefined };

export interface LeaseCheck {
  state:
    | "held"
    /** There is no such entry any more. */
    | "gone"
    /** The entry belongs to somebody else now. */
    | "taken"
    /** The gateway cannot be asked. */
    | "unknown";
  /** As it is now, when held. */
  lease: Lease;
}

/** The driver of one protocol at one gateway, seen from one address of ours. */
export interface Gateway extends EventEmitter<GatewayEvents> {
  readonly info: GatewayInfo;
  readonly localAddress: string;
  /** PCP: the nonce that the mapping will have. The journal records it before the gateway is asked. */
  nonceFor?(transport: Transport, internalPort: number): Uint8Array;
  /** @throws {GatewayError} */
  request(request: PortRequest, signal?: AbortSignal): Promise<Lease>;
  /** Prolongs a lease, and makes it again if it was lost. @throws {GatewayError} */
  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease>;
  /** Looks whether the entry is there. PCP and NAT-PMP can only look by renewing: the lease that comes back may be newer. */
  check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck>;
  /** Gives the port back, unless somebody else has it by now. True: it is certain that nothing of ours is left. */
  release(lease: Lease, signal?: AbortSignal): Promise<boolean>;
  /** Asks for a sign of life. Emits `suspect` when the answer tells of a restart or another address. @throws {GatewayError} */
  probe(signal?: AbortSignal): Promise<void>;
  /** The gateway's whole table, where the protocol can show it. */
  table?(): Promise<PortMappingEntry[]>;
  /** Subscribes to the router's own events (GENA) until it is closed, and again where it may have restarted since. */
  subscribe?(): void;
  /** Takes note of an announcement. False: it came from another router. */
  onAnnouncement(announcement: Announcement): boolean;
  close(): Promise<void>;
}

/** What a search reports; the receiver adds `ms`. */
export type Finding = Omit<GatewayStep, "ms">;

export interface SearchEvents {
  /** A gateway answered. The receiver closes it. */
  onGateway: (gateway: Gateway) => void;
  onFinding: (finding: Finding) => void;
}

/** Milliseconds after which a silent network has no gateway of a protocol: a home router answers within a few. */
export const NO_ANSWER_MS = 850;

/**
 * Starts a search by every protocol on every interface. It goes on until it is disposed. `settled` resolves when nothing more
 * is likely to come soon: everybody answered, or {@link NO_ANSWER_MS} passed. Tests hand in their own.
 */
export type Discover = (events: SearchEvents) => AsyncDisposable & { readonly settled: Promise<void> };
