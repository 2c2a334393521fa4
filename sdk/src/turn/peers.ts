import { canonicalAddress, withoutZone } from "../net/address.ts";
import { FIRST_CHANNEL, LAST_CHANNEL } from "./channel-data.ts";

/** RFC 8656 section 12: a number is not given to another peer before 5 minutes have passed since its binding lapsed. */
const CHANNEL_QUARANTINE_MS = 300_000;

/** An address whose datagrams the server lets in, and the peers behind it (RFC 8656 section 9). */
export interface TurnPermission {
  readonly address: string;
  readonly peers: Map<number, TurnPeer>;
  /** When the next CreatePermission goes out. */
  dueAt: number;
  asking: boolean;
  /** The server has said no; until {@link dueAt} nothing is sent there. */
  refused: boolean;
  usedAt: number;
  /** Something came from there. */
  heard: boolean;
}

/** An address and port that we send to. */
export interface TurnPeer {
  readonly address: string;
  readonly port: number;
  readonly permission: TurnPermission;
  /** 0 while there is none. */
  channel: number;
  /** Until when the server keeps the binding, as far as we know; 0 when it was never bound. */
  boundUntil: number;
  /** When the next ChannelBind goes out; Infinity while none is wanted. */
  dueAt: number;
  asking: boolean;
  usedAt: number;
  /** Packets sent while there was no channel. */
  unchanneled: number;
  removed: boolean;
}

export interface TurnPeerLimits {
  maxPermissions: number;
  maxPeers: number;
}

/** Permissions and channels of one allocation: found without allocating, bounded, and forgotten when idle. */
export class TurnPeers {
  readonly #limits: TurnPeerLimits;
  readonly #permissions: Map<string, TurnPermission> = new Map();
  /** By number less 0x4000. */
  readonly #channels: (TurnPeer | undefined)[] = [];
  #nextChannel = 0;
  #peerCount = 0;

  constructor(limits: TurnPeerLimits) {
    this.#limits = limits;
  }

  /** @param address in the system's spelling, else it is not found */
  permission(address: string): TurnPermission | undefined {
    return this.#permissions.get(address);
  }

  permissions(): Iterable<TurnPermission> {
    return this.#permissions.values();
  }

  byChannel(channel: number): TurnPeer | undefined {
    const peer = this.#channels[channel - FIRST_CHANNEL];
    return peer === undefined || peer.removed ? undefined : peer;
  }

  /**
   * The permission for an address, made when there is none yet. When there are too many, the one unused for longest
   * goes, but none that a peer has answered through. `null` for what is no address of the relay's family, or no room.
   */
  permit(address: string, family: 4 | 6, now: number): TurnPermission | null {
    const known = this.#permissions.get(address);
    if (known !== undefined) return known;
    // A zone of ours means nothing to the server (RFC 4007 section 6).
    const canonical = canonicalAddress(withoutZone(address));
    if (canonical === undefined || canonical.includes(":") !== (family === 6)) return null;
    const other = this.#permissions.get(canonical);
    if (other !== undefined) return other;
    if (this.#permissions.size >= this.#limits.maxPermissions && !this.#makeRoom()) return null;
    const permission: TurnPermission = {
      address: canonical,
      peers: new Map(),
      dueAt: now,
      asking: false,
      refused: false,
      usedAt: now,
      heard: false,
    };
    this.#permissions.set(canonical, permission);
    return permission;
  }

  /** `null` when there is no room: datagrams then go without a channel. */
  addPeer(permission: TurnPermission, port: number, now: number): TurnPeer | null {
    if (this.#peerCount >= this.#limits.maxPeers) return null;
    const peer: TurnPeer = {
      address: permission.address,
      port,
      permission,
      channel: 0,
      boundUntil: 0,
      dueAt: Number.POSITIVE_INFINITY,
      asking: false,
      usedAt: now,
      unchanneled: 0,
      removed: false,
    };
    permission.peers.set(port, peer);
    this.#peerCount++;
    return peer;
  }

  /** Gives a peer a channel number, the one that was free for longest. `false` when there is none. */
  assignChannel(peer: TurnPeer, now: number): boolean {
    if (peer.channel !== 0) return true;
    const count = LAST_CHANNEL - FIRST_CHANNEL + 1;
    for (let i = 0; i < count; i++) {
      const index = (this.#nextChannel + i) % count;
      const holder = this.#channels[index];
      if (holder !== undefined && !(holder.removed && now >= holder.boundUntil + CHANNEL_QUARANTINE_MS)) continue;
      this.#channels[index] = peer;
      this.#nextChannel = (index + 1) % count;
      peer.channel = FIRST_CHANNEL + index;
      return true;
    }
    return false;
  }

  /** The server does not want this number for this peer: it stays out of use for a while, and another is tried. */
  abandonChannel(peer: TurnPeer, now: number): void {
    if (peer.channel === 0) return;
    this.#channels[peer.channel - FIRST_CHANNEL] = { ...peer, removed: true, boundUntil: now };
    peer.channel = 0;
    peer.boundUntil = 0;
  }

  /** Forgets what was not used since `usedBefore`; a channel keeps its peer until the server has dropped it. */
  forgetIdle(usedBefore: number, now: number): void {
    for (const permission of this.#permissions.values()) {
      for (const peer of permission.peers.values()) {
        if (peer.usedAt <= usedBefore && now >= peer.boundUntil && !peer.asking) this.#removePeer(peer);
      }
      if (permission.usedAt <= usedBefore && permission.peers.size === 0 && !permission.asking) {
        this.#permissions.delete(permission.address);
      }
    }
  }

  #makeRoom(): boolean {
    let idlest: TurnPermission | null = null;
    for (const permission of this.#permissions.values()) {
      if (permission.heard || permission.asking) continue;
      if (idlest === null || permission.usedAt < idlest.usedAt) idlest = permission;
    }
    if (idlest === null) return false;
    for (const peer of idlest.peers.values()) this.#removePeer(peer);
    return this.#permissions.delete(idlest.address);
  }

  #removePeer(peer: TurnPeer): void {
    peer.removed = true;
    peer.permission.peers.delete(peer.port);
    this.#peerCount--;
  }
}
