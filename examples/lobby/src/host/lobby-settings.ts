/** What a host learns from its lobby before it opens its way in. */
import { isLoopback } from "./endpoints.ts";

const PATIENCE_MS = 1500;
const MAX_SERVERS = 8;

/**
 * The lobby's STUN servers; none when the lobby does not answer soon, since a host must not wait for its lobby. A lobby on this
 * machine sees no NAT, so that its STUN would tell nothing.
 */
export async function stunServersOf(lobby: string, signal: AbortSignal): Promise<string[]> {
  if (isLoopback(lobby)) return [];
  try {
    const response = await fetch(new URL("connectivity", lobby), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    const { stun } = (await response.json()) as { stun?: unknown };
    if (!Array.isArray(stun)) return [];
    return stun.filter((url): url is string => typeof url === "string" && url.length < 256).slice(0, MAX_SERVERS);
  } catch {
    return [];
  }
}
