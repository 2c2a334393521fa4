/** The player's state machine: when to ask, and which games there are. No I/O. */
import { TokenBucket } from "../net/token-bucket.ts";
import { decodeLanPacket, encodeQuery, type LanDetails } from "./packet.ts";
import { ANNOUNCE_MS } from "./responder.ts";

/** After the first query, ms; then again and again. */
const QUERY_AFTER_MS: readonly number[] = [250, 750, 2000];
const QUERY_MS = 10_000;
/** A game is gone after three announcements have not come, ms. */
export const LOST_AFTER_MS: number = 3 * ANNOUNCE_MS + 5000;
/** More are not kept: whoever floods the network hides others, and costs no memory. */
export const MAX_GAMES = 256;
const MAX_ADDRESSES = 8;

/** A game that was found on the local network. Nothing of it is proven: anybody there can announce anything. */
export interface LanGame extends LanDetails {
  /** Stays the same for one host. */
  id: string;
  /** From which it was heard, the best first: `192.168.1.10`, `fe80::1%eth0`; `127.0.0.1` only if no other. */
  addresses: string[];
}

export type LanEvent = { type: "found" | "changed" | "lost"; game: LanGame };

interface Entry {
  game: LanGame;
  heardAt: number;
  /** When it was heard from each of them. */
  addresses: Map<string, number>;
}

export class LanListener {
  readonly #application: string;
  readonly #limiter = new TokenBucket(400, 200);
  readonly #games = new Map<string, Entry>();
  #asked = 0;
  #nextQuery: number;

  constructor(application: string, now: number) {
    this.#application = application;
    this.#nextQuery = now;
  }

  get games(): LanGame[] {
    return Array.from(this.#games.values(), ({ game }) => game);
  }

  get nextTimeout(): number {
    let next = this.#nextQuery;
    for (const { heardAt } of this.#games.values()) next = Math.min(next, heardAt + LOST_AFTER_MS);
    return next;
  }

  handleTimeout(now: number): { query: Uint8Array | undefined; events: LanEvent[] } {
    const events: LanEvent[] = [];
    for (const [id, { game, heardAt }] of this.#games) {
      if (now < heardAt + LOST_AFTER_MS) continue;
      this.#games.delete(id);
      events.push({ type: "lost", game });
    }
    if (now < this.#nextQuery) return { query: undefined, events };
    this.#nextQuery = now + (QUERY_AFTER_MS[this.#asked++] ?? QUERY_MS);
    return { query: encodeQuery(this.#application), events };
  }

  /** @param address from which it came, on a network of ours. */
  handlePacket(datagram: Uint8Array, address: string, now: number): LanEvent | undefined {
    if (!this.#limiter.take(now)) return undefined;
    const packet = decodeLanPacket(datagram);
    if (packet?.kind !== "announcement" && packet?.kind !== "goodbye") return undefined;
    if (packet.application !== this.#application) return undefined;
    const known = this.#games.get(packet.id);
    if (packet.kind === "goodbye") {
      // Only who has announced a game can take it away, as far as addresses prove anything.
      if (known?.game.addresses.includes(address) !== true) return undefined;
      this.#games.delete(packet.id);
      return { type: "lost", game: known.game };
    }
    if (known === undefined && this.#games.size >= MAX_GAMES) return undefined;
    const { kind: _kind, ...details } = packet;
    const addresses = known?.addresses ?? new Map<string, number>();
    for (const [each, at] of addresses) if (now >= at + LOST_AFTER_MS) addresses.delete(each);
    if (addresses.has(address) || addresses.size < MAX_ADDRESSES) addresses.set(address, now);
    const game: LanGame = { ...details, addresses: inOrder(addresses.keys()) };
    this.#games.set(packet.id, { game, heardAt: now, addresses });
    if (known === undefined) return { type: "found", game };
    return same(known.game, game) ? undefined : { type: "changed", game };
  }
}

/** IPv4 first, since a URL cannot name the interface that a link-local IPv6 address needs; this machine's own last. */
function inOrder(addresses: Iterable<string>): string[] {
  const rank = (each: string): number => (each.startsWith("127.") || each === "::1" ? 2 : each.includes(":") ? 1 : 0);
  return [...addresses].sort((a, b) => rank(a) - rank(b));
}

function same(a: LanGame, b: LanGame): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
