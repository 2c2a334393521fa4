import type { Clock } from "../../net/clock.ts";
import type { StunReplyLimits } from "../../stun/reply-limiter.ts";

/** How much a TURN server does, for one user and for all. */
export interface TurnServerLimits {
  /** Relayed addresses at a time; each costs a port and a socket. Default 1024. */
  allocations?: number;
  /** Of one user: the label of minted credentials, where there is one, else the username. Default 128: a game that has many players behind hard NATs. */
  allocationsPerUser?: number;
  /** Of one caller, an IPv4 address or an IPv6 /64. Default 64, for a school behind one address. */
  allocationsPerCaller?: number;
  /** Peers that one allocation may hear at a time. Default 128. */
  permissions?: number;
  /** Channels of one allocation. Default 128. */
  channels?: number;
  /** What one allocation relays both ways, in bytes per second over the long run. Default 1 250 000, which is 10 Mbit/s. */
  bytesPerSecond?: number;
  /** The same for all allocations. Default: none. */
  totalBytesPerSecond?: number;
  /** What all allocations relay while the server runs, in bytes. Default: none. */
  totalBytes?: number;
  /**
   * What one allocation sends to the addresses that have sent nothing back, each, in bytes: whoever relays for strangers shall not flood
   * others at their word. A peer on this server is not counted. Default: none.
   */
  unansweredBytes?: number;
  /** The longest lifetime that an allocation is granted, in seconds. Default 3600 (RFC 8656 section 7.2). */
  lifetimeSeconds?: number;
  /** Answers to requests without credentials, which may be forged. */
  challenges?: StunReplyLimits;
}

/** Options of the TURN server's protocol. */
export interface TurnServerCoreOptions {
  /** Shared with whoever mints credentials, as coturn's `static-auth-secret`. */
  secret: string;
  /** Default `sallyport`. At most 32 bytes, so that a challenge is no more than three times its request. */
  realm?: string;
  /** How much it relays, for one and for all. Default: see {@link TurnServerLimits}. */
  limits?: TurnServerLimits;
  /** Whether a client of this user may exchange datagrams with an address. Default: public addresses alone. */
  mayReach?: (address: string, user: string) => boolean;
  /** The time. Default: the system's. */
  clock?: Pick<Clock, "now" | "unixNow">;
  /** 32 random bytes that seal this server's nonces. Default: drawn. */
  nonceKey?: Uint8Array;
}

export type TurnServerSettings = Required<Omit<TurnServerLimits, "challenges">>;

/** RFC 8656 section 3.2: what a client gets that asks for no lifetime, or for a shorter one. */
export const DEFAULT_LIFETIME_SECONDS = 600;
/** RFC 8656 section 9. */
export const PERMISSION_LIFETIME_MS = 300_000;
/** RFC 8656 section 12. */
export const CHANNEL_LIFETIME_MS = 600_000;

export function turnServerSettings(limits: TurnServerLimits = {}): TurnServerSettings {
  return {
    allocations: limits.allocations ?? 1024,
    allocationsPerUser: limits.allocationsPerUser ?? 128,
    allocationsPerCaller: limits.allocationsPerCaller ?? 64,
    permissions: limits.permissions ?? 128,
    channels: limits.channels ?? 128,
    bytesPerSecond: limits.bytesPerSecond ?? 1_250_000,
    totalBytesPerSecond: limits.totalBytesPerSecond ?? Number.POSITIVE_INFINITY,
    totalBytes: limits.totalBytes ?? Number.POSITIVE_INFINITY,
    unansweredBytes: limits.unansweredBytes ?? Number.POSITIVE_INFINITY,
    lifetimeSeconds: limits.lifetimeSeconds ?? 3600,
  };
}
