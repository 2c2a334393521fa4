/** What a lobby makes of the servers that it was given, for each of its hosts and players. */

import { DEFAULT_TTL_SECONDS, type ServersOptions, type TraversalServers } from "../../rendezvous/wire/servers.ts";
import { mintTurnCredentials } from "../../turn/credentials.ts";

/**
 * How far the TURN server's clock may be ahead of the lobby's, ms: credentials are good for so much longer than is promised. A lobby
 * whose own clock is stepped by more gives its hosts new ones.
 */
export const CLOCK_TOLERANCE_MS = 300_000;

/**
 * Made anew for each who asks.
 * @param label names whom the TURN server's log shall show. It travels in the clear: never an invite's code.
 */
export function mintServers({ stun = [], turn }: ServersOptions, label: string, unixSeconds: number): TraversalServers {
  const servers: TraversalServers = { stun: [...stun], turn: [] };
  if (turn === undefined) return servers;
  const urls = [...turn.urls];
  if ("secret" in turn) {
    const { secret, ttlSeconds = DEFAULT_TTL_SECONDS } = turn;
    const tolerant = ttlSeconds + CLOCK_TOLERANCE_MS / 1000;
    const minted = mintTurnCredentials(secret, { ttlSeconds: tolerant, label, unixSeconds });
    servers.turn.push({ urls, ...minted, expiresAt: Math.floor(unixSeconds + ttlSeconds) * 1000 });
  } else {
    servers.turn.push({ urls, username: turn.username, credential: turn.credential, expiresAt: 0 });
  }
  return servers;
}

/** How long until a host that stays needs others, ms; undefined: never. */
export function renewServersAfter({ turn }: ServersOptions): number | undefined {
  if (turn === undefined || !("secret" in turn)) return undefined;
  return Math.min(((turn.ttlSeconds ?? DEFAULT_TTL_SECONDS) * 1000) / 2, 2 ** 31 - 1);
}
