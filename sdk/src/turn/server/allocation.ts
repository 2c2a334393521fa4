import type { Endpoint } from "../../net/endpoint.ts";
import { EndpointMap } from "../../net/endpoint-map.ts";
import { TokenBucket } from "../../net/token-bucket.ts";
import { StunBuilder } from "../../stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../stun/constants.ts";
import type { ChannelDataWriter } from "../channel-data.ts";
import type { TurnUser } from "./authentication.ts";
import { CHANNEL_LIFETIME_MS, PERMISSION_LIFETIME_MS, type TurnServerSettings } from "./options.ts";

/** The client's side of an allocation: its 5-tuple. */
export interface TurnClient {
  readonly transport: "udp" | "tcp";
  readonly endpoint: Endpoint;
  /** `false` when it was not sent; `data` is used again after the call. */
  send(data: Uint8Array): boolean;
}

/** The peers' side: a socket for one allocation. */
export interface RelaySocket {
  /** The relayed transport address. */
  readonly relayed: Endpoint;
  send(data: Uint8Array, port: number, address: string): boolean;
  close(): void;
}

interface Channel {
  readonly number: number;
  readonly peer: Endpoint;
  until: number;
}

/** Smallest burst, so that a low rate still lets a game's tick through. */
const MIN_BURST_BYTES = 65_536;

/** One relayed address: who has it, who may send to it, and by which channels (RFC 8656 section 2). No I/O of its own. */
export class ServerAllocation {
  readonly client: TurnClient;
  readonly user: TurnUser;
  /** What its client is counted by. */
  readonly caller: string;
  readonly relay: RelaySocket;
  /** Of the Allocate request, so that its repetition gets the same answer. */
  readonly transactionKey: string;
  /** When it ends, of the server's monotonic clock in ms. */
  expiresAt: number;
  readonly #settings: TurnServerSettings;
  /** Peer's address -> until when. */
  readonly #permissions = new Map<string, number>();
  readonly #channels = new Map<number, Channel>();
  readonly #byPeer = new EndpointMap<Channel>();
  readonly #rate: TokenBucket;
  /** Bytes to addresses that have sent nothing, and those that have; both empty where that is not limited. */
  readonly #unanswered = new Map<string, number>();
  readonly #heard = new Set<string>();
  readonly #writer: ChannelDataWriter;

  constructor(
    client: TurnClient,
    user: TurnUser,
    caller: string,
    relay: RelaySocket,
    transactionKey: string,
    expiresAt: number,
    settings: TurnServerSettings,
    writer: ChannelDataWriter,
  ) {
    this.client = client;
    this.user = user;
    this.caller = caller;
    this.relay = relay;
    this.transactionKey = transactionKey;
    this.expiresAt = expiresAt;
    this.#settings = settings;
    this.#rate = new TokenBucket(Math.max(MIN_BURST_BYTES, settings.bytesPerSecond), settings.bytesPerSecond);
    this.#writer = writer;
  }

  get relayed(): Endpoint {
    return this.relay.relayed;
  }

  /** Whether a peer at this address may be heard and spoken to. */
  permits(address: string, now: number): boolean {
    return (this.#permissions.get(address) ?? 0) > now;
  }

  /** Lets peers at these addresses in; false, and none of them, when there would be too many. */
  permit(addresses: readonly string[], now: number): boolean {
    const added = new Set(addresses.filter((address) => !this.permits(address, now)));
    if (this.#permissions.size + added.size > this.#settings.permissions) this.#forgetLapsed(now);
    if (this.#permissions.size + added.size > this.#settings.permissions) return false;
    for (const address of addresses) this.#permissions.set(address, now + PERMISSION_LIFETIME_MS);
    return true;
  }

  /**
   * Binds a channel or keeps it bound, and permits its peer (RFC 8656 section 12.2).
   * @returns `"taken"` when the number has another peer or the peer another number, `"full"` when there are too many
   */
  bind(number: number, peer: Endpoint, now: number): "bound" | "taken" | "full" {
    this.#forgetLapsed(now);
    const byNumber = this.#channels.get(number);
    const byPeer = this.#byPeer.get(peer.address, peer.port);
    if (byNumber !== byPeer) return "taken";
    if (byNumber === undefined && this.#channels.size >= this.#settings.channels) return "full";
    if (!this.permit([peer.address], now)) return "full";
    if (byNumber !== undefined) byNumber.until = now + CHANNEL_LIFETIME_MS;
    else {
      const channel = { number, peer, until: now + CHANNEL_LIFETIME_MS };
      this.#channels.set(number, channel);
      this.#byPeer.set(peer.address, peer.port, channel);
    }
    return "bound";
  }

  /** Whom a channel leads to; undefined for one that is not bound, or not any more. */
  peerOf(number: number, now: number): Endpoint | undefined {
    const channel = this.#channels.get(number);
    return channel !== undefined && channel.until > now ? channel.peer : undefined;
  }

  /** Whether so many bytes may go to an address, which may never have sent anything back; if so, they are counted. */
  maySend(address: string, bytes: number): boolean {
    if (this.#settings.unansweredBytes === Number.POSITIVE_INFINITY || this.#heard.has(address)) return true;
    const sent = (this.#unanswered.get(address) ?? 0) + bytes;
    if (sent > this.#settings.unansweredBytes) return false;
    // As many as there may be permissions at a time; who takes turns among more has spent it.
    if (!this.#unanswered.has(address) && this.#unanswered.size >= this.#settings.permissions) return false;
    this.#unanswered.set(address, sent);
    return true;
  }

  /** A peer has sent something. */
  heard(address: string): void {
    if (!this.#unanswered.delete(address)) return;
    if (this.#heard.size < this.#settings.permissions) this.#heard.add(address);
  }

  /** Whether so many bytes may pass now. */
  allows(bytes: number, now: number): boolean {
    return this.#rate.take(now, bytes);
  }

  /** A peer's datagram goes to the client: by its channel, else as a Data indication (RFC 8656 section 11.3). */
  deliver(data: Uint8Array, address: string, port: number, now: number): boolean {
    const channel = this.#byPeer.get(address, port);
    if (channel !== undefined && channel.until > now) return this.client.send(this.#writer.frame(channel.number, data));
    const indication = new StunBuilder(StunMethod.DATA, "indication");
    return this.client.send(indication.xorAddress(A.XOR_PEER_ADDRESS, { address, port }).add(A.DATA, data).build());
  }

  #forgetLapsed(now: number): void {
    for (const [address, until] of this.#permissions) if (until <= now) this.#permissions.delete(address);
    for (const [number, channel] of this.#channels) {
      if (channel.until > now) continue;
      this.#channels.delete(number);
      this.#byPeer.delete(channel.peer.address, channel.peer.port);
    }
  }
}
