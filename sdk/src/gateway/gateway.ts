import type { EventEmitter } from "node:events";
import type { Announcement } from "./discovery/announcements.ts";
import type { GatewayInfo, Transport } from "./types.ts";
import type { PortMappingEntry } from "./upnp/service/igd.ts";

/** What one protocol asks of a gateway: one port of one transport. */
export interface Wish {
  transport: Transport;
  internalPort: number;
  externalPort: number;
  /** Nothing but this external port will do. */
  exact: boolean;
  lifetimeSeconds: number;
  description: string;
  /** PCP's, see {@link Gateway.nonceFor}. */
  nonce?: Uint8Array | undefined;
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
  /** PCP's nonce, which alone may change the mapping afterwards. */
  readonly nonce?: Uint8Array | undefined;
}

export type GatewayErrorKind =
  /** The port is somebody else's: another one may be free. */
  | "conflict"
  /** The gateway wants the same number inside and outside. */
  | "same-port"
  /** Its table is full. */
  | "full"
  /** It does not want to. */
  | "refused"
  /** It stands behind another NAT itself, or has no address: its ports lead nowhere. */
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
  /** Its mappings are to be looked at: it restarted, its address changed, its table changed. */
  suspect: [reason: string];
  /** It announced itself, as routers do from time to time and after a restart. Which of the two it was, it did not tell. */
  announced: [reason: string];
  /** It said goodbye, or is another one now. */
  gone: [reason: string];
}

export type LeaseState =
  | "held"
  /** The entry is not there any more. */
  | "gone"
  /** The entry belongs to somebody else now. */
  | "taken"
  /** The gateway cannot be asked. */
  | "unknown";

export interface LeaseCheck {
  state: LeaseState;
  /** As it is now, when held. */
  lease: Lease;
}

/** One protocol of one gateway, seen from one address of ours. */
export interface Gateway extends EventEmitter<GatewayEvents> {
  readonly info: GatewayInfo;
  readonly localAddress: string;
  /** From where it announces itself, if that is not the address at which it is asked. */
  readonly announcesFrom?: string | undefined;
  /** PCP: the nonce that the mapping will have, to be remembered before it is asked for. */
  nonceFor?(transport: Transport, internalPort: number): Uint8Array;
  /** @throws {GatewayError} */
  request(wish: Wish, signal?: AbortSignal): Promise<Lease>;
  /** Prolongs, and makes again what was lost. @throws {GatewayError} */
  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease>;
  /** Looks whether the entry is there. PCP and NAT-PMP can only look by renewing, which is why a lease comes back. */
  check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck>;
  /** Gives the port back, unless it is somebody else's by now. Whether it is verified that nothing of ours is left. */
  release(lease: Lease, signal?: AbortSignal): Promise<boolean>;
  /** Asks for a sign of life, and emits `suspect` when it tells of a restart or another address. @throws {GatewayError} */
  probe(signal?: AbortSignal): Promise<void>;
  /** The gateway's whole table, where the protocol can show it. */
  table?(): Promise<PortMappingEntry[]>;
  /** Listens to what the router tells of itself from now on (GENA), until it is closed; anew, where it may have restarted since. */
  follow?(): void;
  /** Takes note of what its address announced to everybody. */
  hear(announcement: Announcement): void;
  close(): Promise<void>;
}
