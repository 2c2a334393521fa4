import { addressFamily } from "../../net/address.ts";
import { callerKey } from "../../net/caller-key.ts";
import { systemClock } from "../../net/clock.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { addressScope } from "../../net/scope.ts";
import { TokenBucket } from "../../net/token-bucket.ts";
import { traceOf } from "../../net/trace.ts";
import { AMPLIFICATION_LIMIT } from "../../net/unproven-address.ts";
import { readAddress } from "../../stun/address.ts";
import { StunBuilder } from "../../stun/builder.ts";
import { StunAttribute as A, StunErrorCode as Code, StunMethod as Method } from "../../stun/constants.ts";
import { StunMessage } from "../../stun/message.ts";
import { StunReplyLimiter } from "../../stun/reply-limiter.ts";
import { CHANNEL_HEADER_BYTES, ChannelDataWriter, FIRST_CHANNEL } from "../channel-data.ts";
import { FAMILIES, readAllocate } from "./allocate-request.ts";
import { type RelaySocket, ServerAllocation, type TurnClient } from "./allocation.ts";
import { TurnServerAuthentication, type TurnUser } from "./authentication.ts";
import {
  DEFAULT_LIFETIME_SECONDS,
  type TurnServerCoreOptions,
  type TurnServerSettings,
  turnServerSettings,
} from "./options.ts";
import { AllocationTable } from "./table.ts";

const trace = traceOf("turn");

/** Relayed addresses, as the core asks for them. */
export interface RelaySockets {
  /**
   * Opens one; null when there is none. What peers send goes to `receive`, whose `data` is a view.
   * @param even whether its port must be even (RFC 8656 section 18.6)
   */
  open(
    family: 4 | 6,
    even: boolean,
    receive: (data: Uint8Array, address: string, port: number) => void,
  ): RelaySocket | null;
  /** Whether a relayed address of this family can be had at all. */
  has(family: 4 | 6): boolean;
  /** Whether an address is this machine's own: only relayed addresses of ours may be reached there. */
  isOwn(address: string): boolean;
}

/**
 * RFC 8656 ends at 0x4FFF. Clients of RFC 5766 choose up to 0x7FFF, coturn's own among them; nothing else on this port begins with
 * these bits.
 */
const LAST_CHANNEL_OF_RFC_5766 = 0x7fff;
/** FINGERPRINT with its header. */
const FINGERPRINT_BYTES = 8;

/** What must be understood, beside what belongs to the request. DONT-FRAGMENT is not: Node cannot set the bit. */
const COMMON = [A.USERNAME, A.REALM, A.NONCE, A.MESSAGE_INTEGRITY, A.MESSAGE_INTEGRITY_SHA256];
const KNOWN: ReadonlyMap<number, ReadonlySet<number>> = new Map<number, ReadonlySet<number>>([
  [
    Method.ALLOCATE,
    new Set([
      ...COMMON,
      A.REQUESTED_TRANSPORT,
      A.LIFETIME,
      A.REQUESTED_ADDRESS_FAMILY,
      A.EVEN_PORT,
      A.RESERVATION_TOKEN,
    ]),
  ],
  [Method.REFRESH, new Set([...COMMON, A.LIFETIME, A.REQUESTED_ADDRESS_FAMILY])],
  [Method.CREATE_PERMISSION, new Set([...COMMON, A.XOR_PEER_ADDRESS])],
  [Method.CHANNEL_BIND, new Set([...COMMON, A.XOR_PEER_ADDRESS, A.CHANNEL_NUMBER])],
]);
const SEND_KNOWN: ReadonlySet<number> = new Set([A.XOR_PEER_ADDRESS, A.DATA]);

/** A request whose sender is known. */
interface Authentic {
  readonly message: StunMessage;
  readonly client: TurnClient;
  readonly user: TurnUser;
  readonly allocation: ServerAllocation | undefined;
  readonly now: number;
}

/** Counted since the start. */
export interface TurnServerCounters {
  /** Datagrams that went to peers and to clients, and their bytes without TURN's headers. */
  datagrams: number;
  /** Bytes of {@link datagrams}, without TURN's headers. */
  bytes: number;
  /** Datagrams that a limit of rate held back. */
  limited: number;
}

/**
 * A TURN server (RFC 8656) for UDP relays without sockets of its own: messages of clients and datagrams of peers in, the same out.
 *
 * It does less than the specification allows: no TCP relays (RFC 6062), no reserved ports (EVEN-PORT with the R bit, and any
 * RESERVATION-TOKEN, is refused with 508), no second family beside the first (ADDITIONAL-ADDRESS-FAMILY, which may be ignored), no DONT-FRAGMENT (420) and no ICMP
 * attribute. Peers at addresses that are not public are refused unless `mayReach` says otherwise.
 */
export class TurnServerCore {
  readonly counters: TurnServerCounters = { datagrams: 0, bytes: 0, limited: 0 };
  readonly #authentication: TurnServerAuthentication;
  readonly #settings: TurnServerSettings;
  readonly #relays: RelaySockets;
  readonly #mayReach: (address: string, user: string) => boolean;
  readonly #clock: NonNullable<TurnServerCoreOptions["clock"]>;
  readonly #allocations: AllocationTable;
  readonly #challenges: StunReplyLimiter;
  readonly #rate: TokenBucket | undefined;
  readonly #datagramWriter = new ChannelDataWriter(false);
  readonly #streamWriter = new ChannelDataWriter(true);
  #bytesLeft: number;

  constructor(options: TurnServerCoreOptions, relays: RelaySockets) {
    const { secret, realm = "sallyport", limits = {}, nonceKey } = options;
    this.#authentication = new TurnServerAuthentication(secret, realm, nonceKey);
    this.#settings = turnServerSettings(limits);
    this.#relays = relays;
    this.#mayReach = options.mayReach ?? isPublic;
    this.#clock = options.clock ?? systemClock;
    this.#allocations = new AllocationTable(this.#settings);
    this.#challenges = new StunReplyLimiter(limits.challenges);
    const rate = this.#settings.totalBytesPerSecond;
    this.#rate = Number.isFinite(rate) ? new TokenBucket(rate, rate) : undefined;
    this.#bytesLeft = this.#settings.totalBytes;
  }

  get size(): number {
    return this.#allocations.size;
  }

  /** What may still be relayed, in bytes. */
  get bytesLeft(): number {
    return this.#bytesLeft;
  }

  hasAllocation(client: TurnClient): boolean {
    return this.#allocations.of(client) !== undefined;
  }

  /** The client over UDP at this address, while it has an allocation: the one object for its datagrams. */
  clientAt(address: string, port: number): TurnClient | undefined {
    return this.#allocations.at(address, port)?.client;
  }

  /** Takes a datagram, or a whole frame of a stream. */
  receive(data: Buffer, client: TurnClient): void {
    const now = this.#clock.now();
    if (((data[0] ?? 0) & 0xc0) === 0x40) return this.#channelData(data, client, now);
    const message = StunMessage.decode(data);
    if (message === null || message.fingerprintMatches() === false) return;
    if (message.class === "indication") return this.#send(message, client, now);
    const known = KNOWN.get(message.method);
    if (message.class === "request" && known !== undefined) this.#request(message, known, client, now);
  }

  /** Ends what has lapsed. To be called about once a second; what is between is judged as it is used. */
  sweep(): void {
    const now = this.#clock.now();
    for (const allocation of this.#allocations) if (allocation.expiresAt <= now) this.#end(allocation, "lapsed");
  }

  /** The stream of a client ended, and its allocation with it. */
  disconnected(client: TurnClient): void {
    const allocation = this.#allocations.of(client);
    if (allocation !== undefined) this.#end(allocation, "disconnected");
  }

  close(): void {
    for (const allocation of this.#allocations) this.#end(allocation, "closed");
  }

  #request(message: StunMessage, known: ReadonlySet<number>, client: TurnClient, now: number): void {
    const allocation = this.#living(client, now);
    const unixSeconds = this.#clock.unixNow() / 1000;
    const user = this.#authentication.check(message, client.endpoint, allocation?.user, now, unixSeconds);
    if (typeof user === "number") return this.#challenge(message, user, client, now);
    const request: Authentic = { message, client, user, allocation, now };
    const unknown = message.unknownRequired(known);
    if (unknown.length > 0) {
      const builder = errorFor(message, Code.UNKNOWN_ATTRIBUTE).unknownAttributes(unknown);
      return reply(request, builder);
    }
    // RFC 8656 section 5: a request for an allocation comes from its owner.
    if (allocation !== undefined && allocation.user.username !== user.username)
      return refuse(request, Code.WRONG_CREDENTIALS);
    if (message.method === Method.ALLOCATE) return this.#allocate(request);
    if (allocation === undefined) return refuse(request, Code.ALLOCATION_MISMATCH);
    if (message.method === Method.REFRESH) return this.#refresh(request, allocation);
    if (message.method === Method.CREATE_PERMISSION) return this.#createPermission(request, allocation);
    this.#channelBind(request, allocation);
  }

  /** RFC 8656 section 7.2. */
  #allocate(request: Authentic): void {
    const { message, client, user, allocation, now } = request;
    if (allocation !== undefined) {
      if (allocation.transactionKey !== message.transactionKey) return refuse(request, Code.ALLOCATION_MISMATCH);
      return reply(request, allocated(message, allocation, now));
    }
    const asked = readAllocate(message, (family) => this.#relays.has(family));
    if (typeof asked === "number") return refuse(request, asked);
    const refusal = this.#allocations.refusal(user.user, client);
    if (refusal !== undefined) {
      trace.event("allocation-refused", { client: client.endpoint, reason: refusal });
      return refuse(request, refusal === "quota" ? Code.ALLOCATION_QUOTA_REACHED : Code.INSUFFICIENT_CAPACITY);
    }
    let made: ServerAllocation | undefined;
    const relay = this.#relays.open(asked.family, asked.even, (data, address, port) => {
      if (made !== undefined) this.#fromPeer(made, data, address, port);
    });
    if (relay === null) return refuse(request, Code.INSUFFICIENT_CAPACITY);
    made = new ServerAllocation(
      client,
      user,
      callerKey(client.endpoint.address),
      relay,
      message.transactionKey,
      now + this.#lifetimeOf(message) * 1000,
      this.#settings,
      client.transport === "tcp" ? this.#streamWriter : this.#datagramWriter,
    );
    this.#allocations.add(made);
    trace.event("allocated", { client: client.endpoint, transport: client.transport, relayed: relay.relayed });
    reply(request, allocated(message, made, now));
  }

  /** RFC 8656 section 8. */
  #refresh(request: Authentic, allocation: ServerAllocation): void {
    const { message, now } = request;
    const asked = message.get(A.REQUESTED_ADDRESS_FAMILY);
    const family = asked === undefined ? undefined : FAMILIES.get(asked[0] ?? 0);
    if (asked !== undefined && family !== addressFamily(allocation.relayed.address)) {
      return refuse(request, Code.PEER_ADDRESS_FAMILY_MISMATCH);
    }
    const seconds = this.#lifetimeOf(message);
    if (seconds === 0) this.#end(allocation, "released");
    else allocation.expiresAt = now + seconds * 1000;
    reply(request, new StunBuilder(Method.REFRESH, "success", message.transactionId).uint32(A.LIFETIME, seconds));
  }

  /** RFC 8656 section 9.2. */
  #createPermission(request: Authentic, allocation: ServerAllocation): void {
    const { message, user, now } = request;
    const peers = message.all(A.XOR_PEER_ADDRESS).map((value) => readAddress(value, message.transactionId));
    const addresses: string[] = [];
    for (const peer of peers) {
      if (peer === null) return refuse(request, Code.BAD_REQUEST);
      const code = this.#refusalOf(peer.address, user, allocation);
      if (code !== undefined) return refuse(request, code);
      addresses.push(peer.address);
    }
    if (addresses.length === 0) return refuse(request, Code.BAD_REQUEST);
    if (!allocation.permit(addresses, now)) return refuse(request, Code.INSUFFICIENT_CAPACITY);
    reply(request, new StunBuilder(Method.CREATE_PERMISSION, "success", message.transactionId));
  }

  /** RFC 8656 section 12.2. */
  #channelBind(request: Authentic, allocation: ServerAllocation): void {
    const { message, user, now } = request;
    const channel = message.get(A.CHANNEL_NUMBER);
    const number = channel?.length === 4 ? channel.readUInt16BE(0) : 0;
    const peer = message.xorAddress(A.XOR_PEER_ADDRESS);
    if (number < FIRST_CHANNEL || number > LAST_CHANNEL_OF_RFC_5766 || peer === null || peer.port === 0) {
      return refuse(request, Code.BAD_REQUEST);
    }
    const code = this.#refusalOf(peer.address, user, allocation);
    if (code !== undefined) return refuse(request, code);
    const outcome = allocation.bind(number, peer, now);
    if (outcome === "taken") return refuse(request, Code.BAD_REQUEST);
    if (outcome === "full") return refuse(request, Code.INSUFFICIENT_CAPACITY);
    reply(request, new StunBuilder(Method.CHANNEL_BIND, "success", message.transactionId));
  }

  #refusalOf(address: string, { user }: TurnUser, { relayed }: ServerAllocation): number | undefined {
    if (addressFamily(address) !== addressFamily(relayed.address)) return Code.PEER_ADDRESS_FAMILY_MISMATCH;
    // No address, but systems take it for their own.
    if (UNSPECIFIED.has(address)) return Code.FORBIDDEN;
    // At an address of our own only relayed addresses are reached, which is judged for each datagram.
    if (!this.#relays.isOwn(address) && !this.#mayReach(address, user)) return Code.FORBIDDEN;
    return undefined;
  }

  /** RFC 8656 section 11.2. */
  #send(message: StunMessage, client: TurnClient, now: number): void {
    if (message.method !== Method.SEND || message.unknownRequired(SEND_KNOWN).length > 0) return;
    const allocation = this.#living(client, now);
    const peer = message.xorAddress(A.XOR_PEER_ADDRESS);
    const data = message.get(A.DATA);
    if (allocation === undefined || peer === null || data === undefined) return;
    this.#toPeer(allocation, data, peer, now);
  }

  /** RFC 8656 section 12.6. */
  #channelData(data: Buffer, client: TurnClient, now: number): void {
    if (data.length < CHANNEL_HEADER_BYTES) return;
    const allocation = this.#living(client, now);
    const peer = allocation?.peerOf(data.readUInt16BE(0), now);
    const end = CHANNEL_HEADER_BYTES + data.readUInt16BE(2);
    if (allocation === undefined || peer === undefined || end > data.length) return;
    this.#toPeer(allocation, data.subarray(CHANNEL_HEADER_BYTES, end), peer, now);
  }

  #toPeer(allocation: ServerAllocation, data: Uint8Array, { address, port }: Endpoint, now: number): void {
    if (!allocation.permits(address, now)) return;
    const neighbour = this.#allocations.relayedAt(address, port);
    // Else the way to the server's other services, and to what listens on its loopback.
    if (neighbour === undefined && this.#relays.isOwn(address)) return;
    if (!this.#passes(allocation, data.length, now)) return;
    if (neighbour === undefined) {
      if (allocation.maySend(address, data.length)) allocation.relay.send(data, port, address);
      else this.counters.limited++;
      return;
    }
    // Two clients of this server: no socket between, and no router that would have to lead a packet back in.
    const { address: from, port: fromPort } = allocation.relayed;
    if (neighbour.permits(from, now)) neighbour.deliver(data, from, fromPort, now);
  }

  /** RFC 8656 section 11.3: from an address without a permission nothing is taken. */
  #fromPeer(allocation: ServerAllocation, data: Uint8Array, address: string, port: number): void {
    const now = this.#clock.now();
    if (!allocation.permits(address, now) || allocation.expiresAt <= now) return;
    allocation.heard(address);
    if (this.#passes(allocation, data.length, now)) allocation.deliver(data, address, port, now);
  }

  #passes(allocation: ServerAllocation, bytes: number, now: number): boolean {
    const { counters } = this;
    if (bytes > this.#bytesLeft || !allocation.allows(bytes, now) || this.#rate?.take(now, bytes) === false) {
      counters.limited++;
      return false;
    }
    this.#bytesLeft -= bytes;
    counters.datagrams++;
    counters.bytes += bytes;
    return true;
  }

  #living(client: TurnClient, now: number): ServerAllocation | undefined {
    const allocation = this.#allocations.of(client);
    if (allocation === undefined || allocation.expiresAt > now) return allocation;
    this.#end(allocation, "lapsed");
    return undefined;
  }

  #end(allocation: ServerAllocation, reason: string): void {
    this.#allocations.delete(allocation);
    allocation.relay.close();
    trace.event("allocation-ended", { client: allocation.client.endpoint, relayed: allocation.relayed, reason });
  }

  #lifetimeOf(message: StunMessage): number {
    const asked = message.uint32(A.LIFETIME);
    // RFC 8656 section 8.2: zero ends an allocation; on Allocate it means the default, as an absent one.
    if (asked === 0 && message.method === Method.REFRESH) return 0;
    return Math.min(Math.max(asked ?? 0, DEFAULT_LIFETIME_SECONDS), this.#settings.lifetimeSeconds);
  }

  /** An answer that proves nothing and is asked for by anybody: small, and limited by network. */
  #challenge(message: StunMessage, code: number, client: TurnClient, now: number): void {
    if (client.transport === "udp" && !this.#challenges.take(client.endpoint.address, now)) return;
    let builder = errorFor(message, code);
    if (code !== Code.BAD_REQUEST) {
      builder.text(A.REALM, this.#authentication.realm);
      builder.text(A.NONCE, this.#authentication.nonceFor(client.endpoint, now));
    }
    const sealBytes = message.has(A.FINGERPRINT) ? FINGERPRINT_BYTES : 0;
    // A request with next to no attribute is none that a client sends.
    if (builder.length + sealBytes > AMPLIFICATION_LIMIT * message.bytes) builder = errorFor(message, Code.BAD_REQUEST);
    if (sealBytes > 0) builder.fingerprint();
    client.send(builder.build());
  }
}

const UNSPECIFIED: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
const isPublic = (address: string): boolean => addressScope(address) === "public";

/** Without a phrase, which is for people. */
function errorFor(message: StunMessage, code: number): StunBuilder {
  return new StunBuilder(message.method, "error", message.transactionId).errorCode(code, "");
}

function refuse(request: Authentic, code: number): void {
  reply(request, errorFor(request.message, code));
}

function reply({ message, client, user }: Authentic, builder: StunBuilder): void {
  builder.integrity(user.key);
  if (message.has(A.FINGERPRINT)) builder.fingerprint();
  client.send(builder.build());
}

function allocated(message: StunMessage, allocation: ServerAllocation, now: number): StunBuilder {
  return new StunBuilder(Method.ALLOCATE, "success", message.transactionId)
    .xorAddress(A.XOR_RELAYED_ADDRESS, allocation.relayed)
    .uint32(A.LIFETIME, Math.max(1, Math.round((allocation.expiresAt - now) / 1000)))
    .xorAddress(A.XOR_MAPPED_ADDRESS, allocation.client.endpoint);
}
