/**
 * Milliseconds between the packets that keep a NAT's mapping alive, where nothing is known of the NAT: RFC 8445 section 11's
 * Tr. It fits all translators but the few that forget within 15 s.
 */
export const KEEP_ALIVE_MS = 15_000;
/** More would be a burden, and no translator is known that needs it. */
const LEAST_KEEP_ALIVE_MS = 5_000;
/** One packet, with all its retransmissions, may be lost. */
const SAFE_SHARE = 1 / 2;

/**
 * How often to send so that a NAT does not forget: half the silence that a mapping survives, at least every `longestMs` and at
 * most every 5 s. A long lifetime makes it no rarer, since the answers also tell of a new public address, and since other
 * translators on other paths may forget sooner.
 *
 * @param lifetimeSeconds what `natLifetime` measured; `null` for not known
 */
export function keepAliveFor(lifetimeSeconds: number | null, longestMs: number = KEEP_ALIVE_MS): number {
  if (lifetimeSeconds === null) return longestMs;
  return Math.min(longestMs, Math.max(LEAST_KEEP_ALIVE_MS, lifetimeSeconds * 1000 * SAFE_SHARE));
}
