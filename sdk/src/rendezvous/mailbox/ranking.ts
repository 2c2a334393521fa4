/**
 * Which relays a host and its guests use: both rank all that they know by a hash of the invite's rank and the relay's URL (rendezvous
 * hashing), so that they meet although one of them has a longer list, and so that games spread over all relays.
 */
import { blake2b } from "../sealed/noise.ts";
import { parseRelayUrl } from "../wire/relay-url.ts";

/** Of so many relays one is a broker: MQTT's ports are closed in many offices and schools, Nostr is behind 443. */
const OF_WHICH_ONE_BROKER = 5;

/**
 * The best first. Needs noise to be ready.
 * @param rank 0-65535, of the invite
 * @param canStream whether brokers over bare TCP are of use: not in pages
 */
export function rankRelays(rank: number, relays: readonly string[], canStream: boolean): string[] {
  const seed = new TextEncoder().encode(`sallyport relay rank 1 ${rank} `);
  const usable = relays.flatMap((text) => parseRelayUrl(text) ?? []).filter(({ isStream }) => canStream || !isStream);
  const ranked = usable
    .map((relay) => ({ ...relay, weight: weightOf(seed, relay.url) }))
    .toSorted((one, other) => other.weight - one.weight || (one.url < other.url ? -1 : 1));
  const nostr = ranked.filter(({ kind }) => kind === "nostr").map(({ url }) => url);
  const mqtt = ranked.filter(({ kind }) => kind === "mqtt").map(({ url }) => url);
  const order: string[] = [];
  while (nostr.length > 0 || mqtt.length > 0) {
    const isBrokersTurn = order.length % OF_WHICH_ONE_BROKER === OF_WHICH_ONE_BROKER - 1;
    const next = (isBrokersTurn ? mqtt.shift() : nostr.shift()) ?? nostr.shift() ?? mqtt.shift();
    if (next !== undefined) order.push(next);
  }
  return [...new Set(order)];
}

function weightOf(seed: Uint8Array, url: string): number {
  const hash = blake2b(16, seed, new TextEncoder().encode(url));
  return new DataView(hash.buffer, hash.byteOffset, 4).getUint32(0);
}
