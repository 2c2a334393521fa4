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
  /** How the router shows an entry of ours that may be there already. */
  shownAs?: ShownAs | undefined;
}

/** What a router's table makes of our address and description: some rename, some cut, some tell computers by names. */
export interface ShownAs {
  readonly client: string;
  readonly description: string;
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
  /** The router's table, or its answer where it shows none, confirmed the mapping to this computer. */
  readonly verified: boolean;
  /** How the router's table shows it, where that was read. */
  readonly shownAs?: ShownAs | undefined;
  /** It was made by an earlier process, and is known from the journal alone. */
  readonly isRecalled?: boolean;
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
  /** The gateway could not, and does not say why: another port may be free, or its table may be full. */
  | "unexplained"
  /** The gateway wants the same number inside and outside. */
  | "same-port"
  /** Its table is full. */
  | "full"
  /** It does not let programs map this port: it may have a range for them. */
  | "forbidden"
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
  /** What the gateway said yes to before this went wrong: it may be there, and is to be given back. */
  readonly left: Lease | undefined;
  override name = "GatewayError";

  constructor(
    kind: GatewayErrorKind,
    message: string,
    { code, cause, left }: { code?: number | undefined; cause?: unknown; left?: Lease | undefined } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
    this.left = left;
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

/**
 * What a router says unasked. Any device on the LAN can say it: it is a reason to look, never a fact, and the epoch and the address
 * in it are not even read.
 */
export type Announcement =
  | { kind: "pcp" | "nat-pmp"; from: string }
  | { kind: "alive" | "byebye"; from: string; bootId: number | undefined };

export interface LeaseCheck {
  state:
    | "held"
    /** There is no such entry any more. */
    | "gone"
    /** The entry belongs to somebody else now. */
    | "taken"
    /** The gateway answers, and cannot tell. */
    | "unreadable"
    /** The gateway does not answer. */
    | "unknown";
  /** As it is now, when held. */
  lease: Lease;
}

/** {@link Gateway.rank} of a device that answers and is not a default gateway: on a LAN, anybody can say that he is a router. */
export const OTHER_DEVICE: number = Number.POSITIVE_INFINITY;

/** The driver of one protocol at one gateway, seen from one address of ours. */
export interface Gateway extends EventEmitter<GatewayEvents> {
  readonly info: GatewayInfo;
  readonly localAddress: string;
  /** Tells this way of asking this gateway from others: a router may have several descriptions and services. */
  readonly id: string;
  /**
   * 0: the best default route leads to it, or no route is known. 1 and more: another default route does. {@link OTHER_DEVICE}:
   * none does.
   */
  readonly rank: number;
  /** Why the gateway does not tell its external address, where it said so. */
  readonly addressProblem?: Pick<GatewayError, "message" | "code"> | undefined;
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
