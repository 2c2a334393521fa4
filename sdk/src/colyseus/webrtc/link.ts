import type { Endpoint } from "../../net/endpoint.ts";
import { MAX_PAYLOAD_BYTES } from "../../netcode/constants.ts";
import type { SessionLimits } from "../../session/limits.ts";
import type { SessionLink } from "../../session/link.ts";
import { PacketSession } from "../../session/packet-session.ts";
import type { SessionPathKind } from "../../session/path.ts";
import { isPathPacket } from "../../session/path-packet.ts";
import type { SessionPump } from "../../session/pump.ts";
import type { CloseReason } from "../../session/types.ts";

/**
 * The longest packet, bytes. Each has to be one SCTP packet, for one that SCTP cuts is lost with either piece. SCTP adds 28 bytes (RFC 9260
 * sections 3.1 and 3.3.1) and Chromium's packets have 1191 at most, libdatachannel's 1172: so 1144 would do. With DTLS's record (13 to 37),
 * TURN's Send indication (36) and UDP's and IPv6's 48 bytes these 1100 make 1249, and IPv6 carries 1280.
 */
export const MAX_PACKET_BYTES = 1100;

/**
 * SCTP has a congestion window of its own, smaller than ours where much is lost. What it does not take yet waits in the channel; with more
 * than this there no packet is made: it would be old when it leaves, and its round trip would be the queue's. Bytes.
 */
export const LOW_BYTES: number = 2 * MAX_PACKET_BYTES;

/** Something is said this often, ms. netcode's 100 would cost more here: SCTP acknowledges keep-alives too. */
export const KEEP_ALIVE_MS = 250;
/** Of the payloads that are no packets of the channel (session/path-packet.ts), the one that says no more than "I am here". */
const KEEP_ALIVE = Uint8Array.of(0xc2);

/** What a round trip is taken for until one is measured, ms: nobody has timed a handshake here. */
const ASSUMED_ROUND_TRIP_MS = 100;

/** One data channel, a browser's or libdatachannel's. Each of these may throw where it is closed or full. */
export interface DataChannelPort {
  /** Bytes that wait to be sent. */
  bufferedAmount(): number;
  /** Copies `data` at once. */
  send(data: Uint8Array): void;
}

/** The peer connection under a {@link DataChannelLink}. */
export interface DataChannelPeer {
  readonly channel: DataChannelPort;
  /** Where the far end is, as far as that is known. */
  readonly remote: Endpoint;
  readonly pathKind: SessionPathKind;
  /** Lets go of everything. Idempotent. */
  close(): void;
}

export interface DataChannelLinkOptions {
  limits: SessionLimits;
  /** Silence after which the other side is given up, ms; 0 = never. ICE's own consent (RFC 7675) takes 30 s. */
  timeoutMs: number;
}

/**
 * What netcode is over UDP, an unordered data channel that sends nothing twice is to a page: it carries the packets of a session, and
 * DTLS seals them. A reliable channel would be SCTP's to repair, which waits for a timeout of 1 s at worst and holds up all behind it;
 * ours repairs within a tick (PROTOCOL 2.6). Does no I/O of its own: packets and ticks come in.
 */
export class DataChannelLink implements SessionLink {
  readonly session: PacketSession;
  heardAt: number;
  readonly #peer: DataChannelPeer;
  readonly #pump: SessionPump;
  readonly #timeoutMs: number;
  #sentAt: number = Number.NEGATIVE_INFINITY;

  constructor(peer: DataChannelPeer, pump: SessionPump, { limits, timeoutMs }: DataChannelLinkOptions) {
    this.#peer = peer;
    this.#pump = pump;
    this.#timeoutMs = timeoutMs;
    this.heardAt = pump.now();
    this.session = new PacketSession(this, pump, {
      clientId: 0n,
      userData: new Uint8Array(0),
      handshakeMs: ASSUMED_ROUND_TRIP_MS,
      maxPacketBytes: MAX_PACKET_BYTES,
      limits,
      conditions: null,
    });
  }

  get remote(): Endpoint {
    return this.#peer.remote;
  }

  get kind(): SessionPathKind {
    return this.#peer.pathKind;
  }

  get isFull(): boolean {
    try {
      return this.#peer.channel.bufferedAmount() > LOW_BYTES;
    } catch {
      // It is closed, as the next packet will find out.
      return false;
    }
  }

  send(payload: Uint8Array, now: number): boolean {
    try {
      this.#peer.channel.send(payload);
    } catch {
      this.ended("timeout", "the data channel is closed");
      return false;
    }
    this.#sentAt = now;
    return true;
  }

  disconnect(): void {
    this.#peer.close();
  }

  /** Something came in. `data` is valid only during the call. */
  receive(data: Uint8Array): void {
    if (data.length === 0 || data.length > MAX_PAYLOAD_BYTES) return;
    const now = this.#pump.now();
    this.heardAt = now;
    if (!isPathPacket(data)) this.session.receive(data, now);
    // In a tab that nobody looks at timers come once a second; messages come all the same.
    if (now - this.#sentAt >= KEEP_ALIVE_MS) this.#keepAlive(now);
  }

  /** To be called about every {@link KEEP_ALIVE_MS}. */
  tick(): void {
    const now = this.#pump.now();
    if (this.#timeoutMs > 0 && now - this.heardAt > this.#timeoutMs) {
      this.ended("timeout", "nothing was heard from the other side");
    } else if (now - this.#sentAt >= KEEP_ALIVE_MS / 2) {
      this.#keepAlive(now);
    }
  }

  /** The channel takes packets again. */
  drained(): void {
    this.session.flush();
  }

  /** The peer connection is gone, or given up. */
  ended(reason: CloseReason, text = ""): void {
    this.session.lost(reason, text);
    this.#peer.close();
  }

  #keepAlive(now: number): void {
    this.send(KEEP_ALIVE, now);
  }
}
