/** The players who are asking for one hosted game at its lobby, and what is relayed between them and their host. */
import { type Client, ServerError } from "@colyseus/core";
import { callerKey } from "../../net/caller-key.ts";
import { networkKey } from "../../net/caller-networks.ts";
import { addressScope } from "../../net/scope.ts";
import { RateLimiter } from "../../net/token-bucket.ts";
import { MAX_RECORD_BYTES } from "../../rendezvous/sealed/records.ts";
import {
  CLOSE_FLOOD,
  CLOSE_IDLE,
  type EndMessage,
  type EndReason,
  HELLO_BYTES,
  type IntroductionMessage,
  parseBytes,
  parseEndReason,
  parseId,
  type RelayMessage,
} from "../../rendezvous/wire/protocol.ts";

export interface GuestLimits {
  /**
   * Players who are being introduced to one host at a time; of them, from one address (IPv6: one /64). Of a game that is full, the
   * address or IPv6 /48 with most of them gives a place to one with fewer.
   */
  guestsPerGame: number;
  /** Of {@link guestsPerGame}, from one address (IPv6: one /64). */
  guestsPerAddress: number;
  /** How long a player may stay without an introduction, and how long with one, in milliseconds. */
  guestMs: number;
  /** How long a player may stay with an introduction, in milliseconds. */
  introductionMs: number;
  /** Of one introduction in one direction: records at once and per second. */
  relayBurst: number;
  /** Of {@link relayBurst}: records per second. */
  relayPerSecond: number;
  /** Of one introduction in both directions. */
  relayBytes: number;
}

interface Guest {
  client: Client;
  address: string;
  caller: string;
  /** Whoever has an IPv6 /48 has many callers. */
  site: string;
  timer: NodeJS.Timeout;
  /** Of the introduction that is going on. */
  id: number | undefined;
  introduced: boolean;
  bytes: number;
}

export class Guests {
  readonly #limits: GuestLimits;
  readonly #limiter: RateLimiter;
  /** Each costs the host some arithmetic, of which it does only so much. */
  readonly #introduces: RateLimiter;
  readonly #guests = new Map<Client, Guest>();
  readonly #byId = new Map<number, Guest>();
  #nextId = 1;
  /** Undefined while its connection is lost. */
  #host: Client | undefined;
  #hostAddress: string | undefined;

  constructor(limits: GuestLimits) {
    this.#limits = limits;
    this.#limiter = new RateLimiter({
      burst: limits.relayBurst,
      perSecond: limits.relayPerSecond,
      maxKeys: limits.guestsPerGame * 4,
    });
    this.#introduces = new RateLimiter({ burst: 4, perSecond: 0.5, maxKeys: limits.guestsPerGame * 2 });
  }

  get clients(): Iterable<Client> {
    return this.#guests.keys();
  }

  /** @throws ServerError */
  add(client: Client, address: string): void {
    const { guestsPerGame, guestsPerAddress, guestMs } = this.#limits;
    const caller = callerKey(address);
    const site = networkKey(address, { ipv4: 32, ipv6: 48 });
    const neighbours = [...this.#guests.values()].filter((guest) => guest.caller === caller).length;
    const isFull = this.#guests.size >= guestsPerGame && !this.#makeWay(site);
    if (isFull || neighbours >= guestsPerAddress) {
      throw new ServerError(507, "Too many players are asking for this game. Try again.");
    }
    const timer = this.#leaveAfter(client, guestMs);
    this.#guests.set(client, { client, address, caller, site, timer, id: undefined, introduced: false, bytes: 0 });
  }

  remove(client: Client): void {
    const guest = this.#guests.get(client);
    if (guest === undefined) return;
    clearTimeout(guest.timer);
    this.#end(guest, "left", "host");
    this.#guests.delete(client);
  }

  /** What went through the host's last connection is over. */
  setHost(host: Client | undefined, address: string | undefined): void {
    this.#hostAddress = address;
    if (this.#host === host) return;
    for (const guest of this.#byId.values()) this.#end(guest, "away", "guest");
    this.#host = host;
  }

  introduce(client: Client, message: unknown): void {
    const guest = this.#guests.get(client);
    if (guest === undefined) return;
    if (!this.#introduces.take(client.sessionId, performance.now())) {
      client.leave(CLOSE_FLOOD, "too many introductions");
      return;
    }
    const hello = parseBytes(message, "hello", HELLO_BYTES);
    if (hello?.length !== HELLO_BYTES) return this.#tell(guest, "unreadable");
    if (this.#host === undefined) return this.#tell(guest, "away");
    this.#end(guest, "left", "host");
    if (!guest.introduced) {
      guest.introduced = true;
      clearTimeout(guest.timer);
      guest.timer = this.#leaveAfter(client, this.#limits.introductionMs);
    }
    const id = this.#nextId++;
    guest.id = id;
    this.#byId.set(id, guest);
    const attested = this.#sharesHostsAddress(guest);
    if (attested) client.send("attested");
    this.#host.send("introduction", { id, hello, ...(attested && { attested }) } satisfies IntroductionMessage);
  }

  /** Nobody else sees both sides: what they say of themselves is their word. */
  #sharesHostsAddress({ address, caller }: Guest): boolean {
    const host = this.#hostAddress;
    return host !== undefined && addressScope(address) === "public" && caller === callerKey(host);
  }

  /** From either side. */
  relay(client: Client, message: unknown): void {
    const data = parseBytes(message, "data", MAX_RECORD_BYTES);
    const fromHost = client === this.#host;
    const guest = fromHost ? this.#byId.get(parseId(message) ?? -1) : this.#guests.get(client);
    // The other side may have ended it while this was under way.
    if (guest?.id === undefined || data === undefined) return;
    if (!this.#mayRelay(guest, fromHost ? "host" : "guest", data.length)) return;
    if (fromHost) guest.client.send("relay", { data } satisfies RelayMessage);
    else this.#host?.send("relay", { id: guest.id, data } satisfies RelayMessage);
  }

  end(client: Client, message: unknown): void {
    if (client === this.#host) {
      const guest = this.#byId.get(parseId(message) ?? -1);
      if (guest !== undefined) this.#end(guest, parseEndReason(message), "guest");
    } else {
      const guest = this.#guests.get(client);
      if (guest !== undefined) this.#end(guest, "left", "host");
    }
  }

  dispose(): void {
    for (const { timer } of this.#guests.values()) clearTimeout(timer);
  }

  /** The oldest guest of the site that has most goes, if that site has more than this one would. */
  #makeWay(site: string): boolean {
    const counts = new Map<string, number>();
    for (const guest of this.#guests.values()) counts.set(guest.site, (counts.get(guest.site) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if (most <= (counts.get(site) ?? 0) + 1) return false;
    for (const guest of this.#guests.values()) {
      if (counts.get(guest.site) !== most) continue;
      this.remove(guest.client);
      guest.client.leave(CLOSE_IDLE, "others are waiting");
      return true;
    }
    return false;
  }

  #mayRelay(guest: Guest, from: "host" | "guest", bytes: number): boolean {
    guest.bytes += bytes;
    const key = `${from} ${guest.client.sessionId}`;
    if (guest.bytes <= this.#limits.relayBytes && this.#limiter.take(key, performance.now())) return true;
    this.#end(guest, "limit", "both");
    if (from === "guest") guest.client.leave(CLOSE_FLOOD, "too many messages");
    return false;
  }

  #end(guest: Guest, reason: EndReason, tell: "guest" | "host" | "both"): void {
    const { id } = guest;
    if (id === undefined) return;
    guest.id = undefined;
    this.#byId.delete(id);
    if (tell !== "host") this.#tell(guest, reason);
    if (tell !== "guest") this.#host?.send("end", { id, reason } satisfies EndMessage);
  }

  #tell(guest: Guest, reason: EndReason): void {
    guest.client.send("end", { reason } satisfies EndMessage);
  }

  #leaveAfter(client: Client, ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => client.leave(CLOSE_IDLE, "introduced"), ms);
    timer.unref();
    return timer;
  }
}
