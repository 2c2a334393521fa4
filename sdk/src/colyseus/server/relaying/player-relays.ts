import type { ConnectivityManager } from "../../../connectivity/manager/manager.ts";
import { guestLabel, HOST_LABEL } from "../../../connectivity/relaying/labels.ts";
import { type LocalCandidate } from "../../../ice/candidate.ts";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { traceOf } from "../../../net/trace.ts";
import { UnprovenAddress } from "../../../net/unproven-address.ts";
import type { TurnAccess } from "../../../rendezvous/wire/servers.ts";
import { mintTurnCredentials } from "../../../turn/credentials.ts";
import { TurnKeeper } from "../../../turn/keeper.ts";
import type { TurnServer } from "../../../turn/open.ts";
import type { TurnRelay } from "../../../turn/relay.ts";
import type { OfferMessage } from "../../wire/relaying.ts";

const trace = traceOf("colyseus");

/** Used at a time: one, and another that takes over at once. */
const IN_USE = 2;
/** Known at a time. */
const MAX_OFFERS = 16;
/** Our own are asked for again with each attempt; a guest's allocation outlives its credentials. */
const HOST_TTL_SECONDS = 3600;
const GUEST_TTL_SECONDS = 600;
const TIMEOUT_MS = 5000;
/** A player's router may still be forwarding the port that we are to get. */
const MAX_BACKOFF_MS = 4000;

type Offer = Omit<OfferMessage, "type">;

/** What changed of our relayed candidates. */
export interface RelayChange {
  add: readonly LocalCandidate[];
  remove: readonly LocalCandidate[];
}

/** A player's relay, as the host uses it. */
class UsedRelay {
  readonly offer: Offer;
  /** Who answers for it, the last that said so: nobody else knows its secret. */
  owner: object;
  /** Bytes that were said of it: as long as it has not answered, three times as much goes there. */
  readonly said: UnprovenAddress = new UnprovenAddress();
  keeper: TurnKeeper | undefined;
  relay: TurnRelay | undefined;
  candidate: LocalCandidate | undefined;

  constructor(offer: Offer, owner: object) {
    this.offer = offer;
    this.owner = owner;
  }
}

/**
 * Players' computers that relay for the others of the game: the host allocates an address on one of them, and on a second that takes
 * over. What a player names is used once it has shown, by an answer sealed with its secret, that it is there.
 */
export class PlayerRelays {
  readonly #connectivity: ConnectivityManager;
  readonly #relays = new Map<string, UsedRelay>();
  #isClosed = false;
  /** Our relayed candidates are others. */
  onChange: ((change: RelayChange) => void) | null = null;

  constructor(connectivity: ConnectivityManager) {
    this.#connectivity = connectivity;
  }

  /** Relays that serve now. */
  get serving(): number {
    return [...this.#relays.values()].filter(({ relay }) => relay !== undefined).length;
  }

  /**
   * A player offers its relay, or offers it again.
   * @param owner its session, or its introduction
   * @param bytes that it took to say so
   * @returns false for one that is too many
   */
  offer(owner: object, offer: Offer, bytes: number): boolean {
    if (this.#isClosed) return false;
    const key = keyOf(offer);
    for (const [each, { owner: its }] of this.#relays) if (each !== key && its === owner) this.#drop(each);
    let relay = this.#relays.get(key);
    if (relay === undefined) {
      if (this.#relays.size >= MAX_OFFERS) return false;
      relay = new UsedRelay(offer, owner);
      this.#relays.set(key, relay);
      if (trace.on) trace.event("relay-offered", { relays: this.#relays.size });
    }
    relay.owner = owner;
    relay.said.received(bytes);
    this.#use();
    return true;
  }

  /** The player takes its offer back, or is gone. */
  withdraw(owner: object): void {
    for (const [key, { owner: its }] of this.#relays) if (its === owner) this.#drop(key);
  }

  /** Credentials by which a guest may use the relays that serve, to reach this host and nobody else. */
  accessForGuest(): TurnAccess[] {
    const ours = this.#connectivity.reachability.endpoints.map(({ address }) => address);
    const serving = [...this.#relays.values()].filter(({ relay }) => relay !== undefined);
    const relayed = serving.flatMap(({ relay }) => (relay ? [relay.relayed.address] : []));
    const label = guestLabel([...relayed, ...ours]);
    return serving.map(({ offer: { urls, secret } }) => {
      const credentials = mintTurnCredentials(secret, { label, ttlSeconds: GUEST_TTL_SECONDS });
      return { urls: [...urls], ...credentials, expiresAt: Date.now() + GUEST_TTL_SECONDS * 1000 };
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const keepers = [...this.#relays.values()].flatMap(({ keeper }) => keeper ?? []);
    this.#relays.clear();
    await Promise.all(keepers.map((keeper) => keeper.close()));
  }

  #drop(key: string): void {
    const relay = this.#relays.get(key);
    if (relay === undefined) return;
    this.#relays.delete(key);
    if (trace.on) trace.event("relay-withdrawn", { relays: this.#relays.size });
    // First, so that packets take another way while this one still serves.
    this.#lose(relay);
    void relay.keeper?.close();
    this.#use();
  }

  /** Allocates where fewer relays are used than may be. */
  #use(): void {
    for (const relay of this.#relays.values()) {
      const used = [...this.#relays.values()].filter(({ keeper }) => keeper !== undefined).length;
      if (used >= IN_USE) return;
      if (relay.keeper === undefined) this.#allocate(relay);
    }
  }

  #allocate(used: UsedRelay): void {
    const { urls, secret } = used.offer;
    const { socket, ice } = this.#connectivity;
    used.keeper = new TurnKeeper({
      socket,
      servers: (): TurnServer[] => [
        { urls, ...mintTurnCredentials(secret, { label: HOST_LABEL, ttlSeconds: HOST_TTL_SECONDS }) },
      ],
      timeoutMs: TIMEOUT_MS,
      maxBackoffMs: MAX_BACKOFF_MS,
      maySend: (_address, bytes) => used.said.take(bytes),
      onRelay: (relay) => {
        // From an address that has proved itself more may be asked for again.
        used.said.received(urls.join("").length + OFFER_ALLOWANCE);
        used.relay = relay;
        used.candidate = ice.addRelay(relay, { server: formatEndpoint(relay.server) });
        const lost = relay.onLost;
        relay.onLost = (error) => {
          lost?.(error);
          this.#lose(used);
        };
        if (trace.on) trace.event("relay-serves", { server: relay.server, relayed: relay.relayed });
        this.onChange?.({ add: [used.candidate], remove: [] });
      },
      onLost: () => this.#lose(used),
    });
  }

  #lose(used: UsedRelay): void {
    const { relay, candidate } = used;
    if (relay === undefined || candidate === undefined) return;
    used.relay = used.candidate = undefined;
    this.#connectivity.ice.removeBase(relay.id);
    if (trace.on) trace.event("relay-lost", { server: relay.server });
    this.onChange?.({ add: [], remove: [candidate] });
  }
}

/** Of one attempt more, bytes. */
const OFFER_ALLOWANCE = 1000;

function keyOf({ urls, secret }: Offer): string {
  return JSON.stringify([urls, secret]);
}
