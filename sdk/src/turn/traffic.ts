import { StunBuilder } from "../stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../stun/constants.ts";
import type { StunMessage } from "../stun/message.ts";
import type { TurnAllocationSink, TurnSettings } from "./allocation-options.ts";
import { ChannelDataWriter, MAX_RELAYED_BYTES } from "./channel-data.ts";
import type { TurnError } from "./errors.ts";
import { type TurnPeer, TurnPeers, type TurnPermission } from "./peers.ts";
import type { TurnAsk } from "./request.ts";

const RETRY_MS = 1000;
const REFUSED_RETRY_MS = 30_000;
/** A peer that answers gets a channel; one that does not after so many packets. A check that nobody answers wastes none. */
const PACKETS_BEFORE_CHANNEL = 4;
/** Of the server's lifetime for permissions: 4 of 5 minutes. */
const PERMISSION_RENEWAL = 0.8;
const CHANNEL_RENEWAL = 0.5;

/** What traffic needs of its allocation. */
export interface TurnTrafficHost {
  request(ask: TurnAsk, now: number): void;
  /** A time somewhat shorter, so that what began together does not all fall due together. */
  jittered(ms: number): number;
}

type PeerAsk = TurnAsk & { kind: "permission" | "channel" };

/**
 * Data to and from the peers of one allocation that stands, and the permissions and channels that it needs: asked for
 * when they are used first, renewed while they are used, forgotten when they are not.
 */
export class TurnTraffic {
  /** RFC 8656 section 11.1: whether Send indications ask for no fragmentation. */
  dontFragment: boolean;
  readonly #settings: TurnSettings;
  readonly #sink: TurnAllocationSink;
  readonly #host: TurnTrafficHost;
  readonly #peers: TurnPeers;
  readonly #writer: ChannelDataWriter;

  constructor(settings: TurnSettings, sink: TurnAllocationSink, host: TurnTrafficHost) {
    this.#settings = settings;
    this.#sink = sink;
    this.#host = host;
    this.dontFragment = settings.dontFragment;
    this.#peers = new TurnPeers({ maxPermissions: settings.maxPermissions, maxPeers: settings.maxChannels });
    this.#writer = new ChannelDataWriter(settings.reliable);
  }

  permit(address: string, now: number): void {
    const permission = this.#peers.permit(address, this.#settings.family, now);
    if (permission === null) return;
    permission.usedAt = now;
    this.#askPermission(permission, now);
  }

  send(data: Uint8Array, address: string, port: number, now: number): boolean {
    if (data.length > MAX_RELAYED_BYTES || !(port > 0 && port < 65536)) return false;
    const permission = this.#peers.permission(address) ?? this.#peers.permit(address, this.#settings.family, now);
    if (permission === null) return false;
    permission.usedAt = now;
    // What follows such a request arrives after it, as a rule: over UDP nobody waits for the answer.
    if (now >= permission.dueAt) this.#askPermission(permission, now);
    if (permission.refused) return false;
    const peer = permission.peers.get(port) ?? this.#peers.addPeer(permission, port, now);
    if (peer === null) return this.#sendIndication(data, permission.address, port);
    peer.usedAt = now;
    if (now < peer.boundUntil) return this.#sink.transmit(this.#writer.frame(peer.channel, data));
    const worthIt = permission.heard || ++peer.unchanneled >= PACKETS_BEFORE_CHANNEL;
    if (worthIt && !peer.asking) this.#wantChannel(peer, now);
    return this.#sendIndication(data, permission.address, port);
  }

  /** @returns whether it was genuine: from a channel that we know */
  receiveChannelData(frame: Buffer, now: number): boolean {
    const length = frame.readUInt16BE(2);
    const peer = this.#peers.byChannel(frame.readUInt16BE(0));
    // Over UDP there may be padding, which is none of the data.
    if (peer === undefined || length > frame.length - 4) return false;
    peer.usedAt = now;
    peer.permission.usedAt = now;
    peer.permission.heard = true;
    this.#sink.data(frame.subarray(4, 4 + length), peer.address, peer.port);
    return true;
  }

  /** @returns whether it was genuine: from an address that we permitted (RFC 8656 section 11.4) */
  receiveIndication(message: StunMessage, now: number): boolean {
    const from = message.xorAddress(A.XOR_PEER_ADDRESS);
    const data = message.get(A.DATA);
    // One without data tells of an ICMP error (RFC 8656 section 11.5); ICE finds that out by itself.
    if (from === null || data === undefined || message.fingerprintMatches() === false) return false;
    const permission = this.#peers.permission(from.address);
    if (permission === undefined) return false;
    permission.usedAt = now;
    permission.heard = true;
    const peer = permission.peers.get(from.port);
    if (peer !== undefined) {
      peer.usedAt = now;
      if (peer.channel === 0) this.#wantChannel(peer, now);
    }
    this.#sink.data(data, from.address, from.port);
    return true;
  }

  granted(ask: PeerAsk, grantedAt: number): void {
    if (ask.kind === "permission") {
      const { permission } = ask;
      permission.asking = false;
      permission.refused = false;
      permission.dueAt = grantedAt + this.#host.jittered(this.#settings.permissionLifetimeMs * PERMISSION_RENEWAL);
    } else {
      const { peer } = ask;
      peer.asking = false;
      peer.unchanneled = 0;
      peer.boundUntil = grantedAt + this.#settings.channelLifetimeMs;
      peer.dueAt = grantedAt + this.#host.jittered(this.#settings.channelLifetimeMs * CHANNEL_RENEWAL);
    }
  }

  refused(ask: PeerAsk, error: TurnError, now: number): void {
    if (ask.kind === "permission") {
      const { permission } = ask;
      permission.asking = false;
      permission.refused = true;
      permission.dueAt = now + REFUSED_RETRY_MS;
      this.#sink.refused(permission.address, error);
    } else {
      // Without a channel it goes on by indications.
      ask.peer.asking = false;
      this.#peers.abandonChannel(ask.peer, now);
      ask.peer.dueAt = now + REFUSED_RETRY_MS;
    }
  }

  unanswered(ask: PeerAsk, now: number): void {
    if (ask.kind === "permission") {
      ask.permission.asking = false;
      ask.permission.dueAt = now;
    } else {
      ask.peer.asking = false;
      ask.peer.dueAt = now + RETRY_MS;
    }
  }

  /** Renews what is due and in use, forgets what is idle. @returns when to look again */
  maintain(now: number): number {
    const { idleMs } = this.#settings;
    let next = Number.POSITIVE_INFINITY;
    this.#peers.forgetIdle(now - idleMs, now);
    for (const permission of this.#peers.permissions()) {
      // What is idle or refused is not asked for again unless somebody uses it.
      if (now < permission.usedAt + idleMs) {
        if (!permission.refused) this.#askPermission(permission, now);
        if (!permission.refused && !permission.asking) next = Math.min(next, permission.dueAt);
        next = Math.min(next, permission.usedAt + idleMs);
      }
      for (const peer of permission.peers.values()) {
        const inUse = now < peer.usedAt + idleMs;
        if (inUse && now >= peer.dueAt) this.#wantChannel(peer, now);
        if (!peer.asking) next = Math.min(next, inUse ? peer.dueAt : peer.boundUntil);
      }
    }
    return next;
  }

  #sendIndication(data: Uint8Array, address: string, port: number): boolean {
    const builder = new StunBuilder(StunMethod.SEND, "indication").xorAddress(A.XOR_PEER_ADDRESS, { address, port });
    if (this.dontFragment) builder.flag(A.DONT_FRAGMENT);
    return this.#sink.transmit(builder.add(A.DATA, data).build());
  }

  #askPermission(permission: TurnPermission, now: number): void {
    if (permission.asking || now < permission.dueAt) return;
    permission.asking = true;
    this.#host.request({ kind: "permission", permission }, now);
  }

  #wantChannel(peer: TurnPeer, now: number): void {
    if (peer.asking || (now < peer.dueAt && peer.dueAt !== Number.POSITIVE_INFINITY)) return;
    if (!this.#peers.assignChannel(peer, now)) {
      peer.dueAt = now + REFUSED_RETRY_MS;
      return;
    }
    peer.asking = true;
    this.#host.request({ kind: "channel", peer }, now);
  }
}
