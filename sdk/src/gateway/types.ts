import type { EventEmitter } from "node:events";

/** The protocol by which a gateway was asked. */
export type Via = "pcp" | "nat-pmp" | "upnp";

/** A transport protocol. */
export type Transport = "udp" | "tcp";

/** What a mapping carries; `both` is UDP and TCP on one external port number. */
export type MapProtocol = Transport | "both";

/** A port that a gateway shall forward. */
export interface MapRequest {
  /** The port the game listens on, 1-65535. */
  internalPort: number;
  /** The external port to ask for, 1-65535 (default: `internalPort`). Another is taken when this one is not free. */
  externalPort?: number | undefined;
  /** What it carries. */
  protocol: MapProtocol;
  /** The lease asked for, in seconds (default 7200: RFC 6886 section 3.3). The gateway may grant less. */
  lifetimeSeconds?: number | undefined;
  /** The entry's name in the router's table (default `Sallyport`). ASCII is safest; it is shortened to 63 characters. */
  description?: string | undefined;
  /** Seeds the alternative ports, so that one application gets the same alternative at its next start (default: the description). */
  application?: string | undefined;
  /**
   * 4 (default): a port of the router's IPv4 address. 6: a pinhole through its IPv6 firewall to this computer's own
   * address; the port is then the same inside and outside.
   */
  family?: 4 | 6 | undefined;
  /**
   * Take a mapping whose external address is not public, as behind a provider's box that passes everything on (DMZ, 1:1 NAT).
   * Default false: it is refused and named.
   */
  acceptPrivateAddress?: boolean | undefined;
  /**
   * The public IPv4 address as somebody outside sees it (STUN), for a router that does not tell its own. Asked when that is
   * needed; `undefined` or a rejection stands for "not known".
   */
  publicAddress?: (() => string | undefined | Promise<string | undefined>) | undefined;
}

/** A gateway that answered. */
export interface GatewayInfo {
  /** The protocol by which it answered. */
  readonly via: Via;
  /** The router's own name where it has one (UPnP), else its kind. */
  readonly name: string;
  /** Its address on the LAN. */
  readonly address: string;
  /** Its external address, `""` while it is not known. */
  readonly externalAddress: string;
}

/** One thing that was tried, in words for the person who hosts. */
export interface GatewayStep {
  /** What was tried: the journal, this machine's interfaces, or a protocol. */
  step: "interfaces" | "journal" | Via;
  /** `absent`: there is none to ask. `skipped`: not tried. */
  outcome: "ok" | "refused" | "absent" | "failed" | "skipped";
  /** Milliseconds since the search began. */
  ms: number;
  /** What happened, why, and what the person can do. */
  reason: string;
  /** The protocol's own error code, where there was one. */
  code?: number;
}

/**
 * What shows that a mapping leads here.
 * - `outside`: a packet from outside came in
 * - `router`: the router confirmed it
 * - `none`: the router said yes and its table cannot confirm it, or a device said so that is not the default gateway
 */
export type Proof = "outside" | "router" | "none";

/** Why something happened to a mapping. */
export interface MappingEvent {
  /** What happened. */
  event: "mapped" | "renewed" | "changed" | "lost" | "unmapped";
  /** The mapping, as it is now. */
  mapping: PortMapping;
  /** Why, in words for the person who hosts. */
  reason: string;
  /** Milliseconds since the mapping was asked for. */
  ms: number;
}

/** Events of one {@link PortMapping}. */
export interface MappingEvents {
  /** It holds (again). */
  mapped: [MappingEvent];
  /** The gateway prolonged it: it lasts longer than before. */
  renewed: [MappingEvent];
  /** The external address, the port or the gateway changed. */
  changed: [MappingEvent];
  /** It does not hold; the mapper goes on trying. */
  lost: [MappingEvent];
  /** It was given back. The last event. */
  unmapped: [MappingEvent];
}

/** A port that a gateway forwards to us, kept alive until {@link PortMapping.unmap}. Its fields follow the gateway. */
export interface PortMapping extends AsyncDisposable, EventEmitter<MappingEvents> {
  /** `lost`: it does not hold now, and the mapper goes on trying. `unmapped`: it was given back. */
  readonly state: "mapped" | "lost" | "unmapped";
  /** The protocol that holds it. */
  readonly via: Via;
  /** The gateway that forwards it. */
  readonly gateway: GatewayInfo;
  /** What it carries. */
  readonly protocol: MapProtocol;
  /** Our address towards the gateway. */
  readonly internalAddress: string;
  /** The port on this computer, 1-65535. */
  readonly internalPort: number;
  /** The address by which it is reached from outside. */
  readonly externalAddress: string;
  /** The port by which it is reached from outside, 1-65535. */
  readonly externalPort: number;
  /** When the lease ends, as `Date.now()` counts; 0 for a permanent entry. It is renewed before. */
  readonly expiresAt: number;
  /** The gateway confirmed the entry: `proof` is not `none`. */
  readonly verified: boolean;
  /** `router` or `none`: packets from outside are seen by those who use the port. */
  readonly proof: Proof;
  /**
   * Deletes the entry and adds it again: some routers list entries that forward nothing until that is done. Events tell what
   * became of it.
   * @param reason for them, in words
   * @returns whether the port is mapped again at the same place. False too where the mapping does not hold. Does not throw.
   */
  remake(reason: string): Promise<boolean>;
  /** Gives the port back and reads back that it is gone. Does not throw; calling it again changes nothing. */
  unmap(): Promise<void>;
}

/** Why a port is not mapped. */
export type PortMapErrorKind =
  /** No gateway answered. */
  | "no-gateway"
  /** A gateway said no. */
  | "refused"
  /** Somebody else has every port that was tried, or the router does not say why it could not map them. */
  | "conflict"
  /** The gateway is behind a NAT itself. */
  | "double-nat"
  /** A gateway answered, but not usefully, or too late. */
  | "failed"
  /** The request itself is wrong. */
  | "invalid"
  /** The signal was aborted, or the mapper closed. */
  | "aborted";

/** Why a port could not be mapped, with everything that was tried. */
export class PortMapError extends Error {
  /** Which kind of failure it is. */
  readonly kind: PortMapErrorKind;
  /** What was tried before. */
  readonly steps: readonly GatewayStep[];
  /** The protocol's own error code, where there was one. */
  readonly code: number | undefined;
  override name = "PortMapError";

  constructor(
    kind: PortMapErrorKind,
    message: string,
    { steps = [], code, cause }: { steps?: readonly GatewayStep[]; code?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.steps = steps;
    this.code = code;
  }
}
