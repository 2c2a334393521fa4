import type { GuestLimits } from "./guests.ts";

/**
 * A caller is an IPv4 address or an IPv6 /64. The networks around it pass for several: an IPv4 /24 and an IPv6 /48 for 16 callers, an
 * IPv6 /32 for 64. Of several processes (Redis) all count together.
 */
export interface RendezvousLimits extends GuestLimits {
  /**
   * Wrong codes of one caller: at once, and per second in the long run. Right ones cost nothing, so that sixty players behind one
   * address all get in.
   */
  burst: number;
  /** Of {@link burst}: wrong codes of one caller per second in the long run. */
  perSecond: number;
  /** Requests of one caller, of whatever kind: at once, and per second in the long run. */
  requestBurst: number;
  /** Of {@link requestBurst}: requests of one caller per second in the long run. */
  requestsPerSecond: number;
  /**
   * Wrong codes of all callers: at once, and per second in the long run. When they are used up, networks (IPv4 /24, IPv6 /32) that
   * have just guessed are sent away, and all others still get in.
   */
  wrongCodeBurst: number;
  /** Of {@link wrongCodeBurst}: wrong codes of all callers per second in the long run. */
  wrongCodesPerSecond: number;
  /** What the slow hash of a registration costs of the caller's `perSecond`. As many hashes as `gamesPerAddress` are granted at once. */
  hashTokens: number;
  /** Hosted games of one caller. */
  gamesPerAddress: number;
  /** Hosted games of the lobby. */
  games: number;
  /** How long a game whose host has vanished stays known, in milliseconds. */
  holdMs: number;
}

export const LIMITS: RendezvousLimits = {
  burst: 30,
  perSecond: 1,
  requestBurst: 600,
  requestsPerSecond: 60,
  wrongCodeBurst: 400,
  wrongCodesPerSecond: 200,
  hashTokens: 10,
  gamesPerAddress: 16,
  games: 10_000,
  guestsPerGame: 128,
  guestsPerAddress: 64,
  guestMs: 30_000,
  introductionMs: 120_000,
  relayBurst: 80,
  relayPerSecond: 40,
  relayBytes: 262_144,
  holdMs: 60_000,
};
