import { callerKey } from "../net/caller-key.ts";
import { RateLimiter } from "../net/token-bucket.ts";
import { traceOf } from "../net/trace.ts";
import type { NetcodeServer } from "../netcode/server.ts";
import type { NetcodeServerClient } from "../netcode/types.ts";
import { type RandomSource, systemRandom } from "../netcode/types.ts";
import { type PathCandidate, PathCandidates } from "./path-candidates.ts";

const trace = traceOf("session");

/** Connected clients send at 10 Hz at least; one that has been silent this long (ms) may have moved. */
const SILENT_MS = 150;
/** A stranger's datagram is held against at most so many silent clients' keys, about 2 µs each. */
const TRIES_PER_DATAGRAM = 8;
/** All strangers together, per second: what junk can cost while many clients are silent. */
const TRIES_PER_SECOND = 4000;
/** Datagrams of one caller that are tried: an eighth of all tries, so that one who sends junk keeps nobody from moving. */
const PER_SOURCE = { burst: 64, perSecond: 64, maxKeys: 4096 } as const;
/** The silent are looked for at most this often (ms), so that a flood does not make us look for each datagram. */
const LOOK_INTERVAL_MS = 20;
/** Prefix byte, shortest sequence, tag: less is no encrypted packet (netcode 1.02). */
const MIN_PACKET_BYTES = 18;

export interface RoamingHandler {
  /** The client has another address, and has proven it. */
  moved(client: NetcodeServerClient): void;
  /**
   * A client's newest packet, so many bytes long, came from elsewhere.
   * @returns true where the client's way finds out by itself whether it is there, as ICE does: then nothing is asked here
   */
  strayed(client: NetcodeServerClient, address: string, port: number, bytes: number): boolean;
}

/**
 * Follows clients whose address changed in mid-game: the NAT forgot them, or the Wi-Fi gave way to mobile. netcode has no
 * connection id, so a datagram from nowhere is held against the keys of those who fell silent.
 *
 * An authentic packet proves who wrote it, and not where that is: its source may be forged, by a player who wants somebody flooded,
 * or a copy's. So what comes from elsewhere is read, and all that is sent still goes to the client's address, until an answer to
 * eight unpredictable bytes comes from the new one (RFC 9000 sections 8.2 and 9.3). A challenge is sent only when such a packet
 * comes, so that nobody is sent anything who says nothing.
 */
export class Roaming {
  readonly #netcode: NetcodeServer;
  readonly #handler: RoamingHandler;
  readonly #candidates: PathCandidates;
  #silent: NetcodeServerClient[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #tries = TRIES_PER_SECOND;
  #refilledAt = 0;
  readonly #perSource = new RateLimiter(PER_SOURCE);
  /** Whence the datagram came that netcode is reading. */
  #reading: PathCandidate | null = null;
  #isStray = false;

  constructor(netcode: NetcodeServer, handler: RoamingHandler, random: RandomSource = systemRandom) {
    this.#netcode = netcode;
    this.#handler = handler;
    this.#candidates = new PathCandidates(random);
  }

  /** For a datagram that netcode did not know. @returns whether it was a client's */
  receive(data: Uint8Array, address: string, port: number, now: number): boolean {
    if (data.length < MIN_PACKET_BYTES || !isMidGame(data[0] ?? 0)) return false;
    const known = this.#candidates.get(address, port, now);
    if (known && this.#readFrom(known, data, now)) return true;
    this.#look(now);
    if (this.#silent.length === 0 || !this.#perSource.take(callerKey(address), now)) return false;
    this.#refill(now);
    for (let position = 0; position < Math.min(this.#silent.length, TRIES_PER_DATAGRAM); position++) {
      const client = this.#silent[position];
      if (!client || this.#tries < 1) return false;
      this.#tries--;
      if (!this.#readAs(client, data)) continue;
      this.#silent.splice(position, 1);
      if (client.connected && client.newest) this.#suspect(client, address, port, data.length, now);
      return true;
    }
    // Those who were not it go to the end, so that every silent client has its turn.
    this.#silent.push(...this.#silent.splice(0, TRIES_PER_DATAGRAM));
    return false;
  }

  /** Whether the datagram that netcode is reading came from elsewhere than its client's address. */
  get isReading(): boolean {
    return this.#isStray;
  }

  /** A payload of path validation, of the datagram that netcode is reading. */
  pathPacket(client: NetcodeServerClient, payload: Uint8Array): void {
    // One that came from the client's own address answers nothing.
    if (this.#reading?.client === client) this.#reading.answer(payload);
  }

  /** The client is gone. */
  forget(client: NetcodeServerClient): void {
    this.#candidates.forget(client);
  }

  /** Addresses that are being proven, or are kept for what comes late. */
  get candidates(): number {
    return this.#candidates.count();
  }

  #suspect(client: NetcodeServerClient, address: string, port: number, bytes: number, now: number): void {
    if (this.#handler.strayed(client, address, port, bytes)) return;
    const candidate = this.#candidates.add(client, address, port, now);
    candidate.heard(bytes, now);
    this.#ask(candidate, now);
  }

  /** A datagram from where a client was heard before. */
  #readFrom(candidate: PathCandidate, data: Uint8Array, now: number): boolean {
    const { client } = candidate;
    let taken: boolean;
    try {
      this.#reading = candidate;
      taken = this.#readAs(client, data);
    } finally {
      this.#reading = null;
    }
    if (!taken || !client.connected) return taken;
    candidate.heard(data.length, now);
    if (client.newest) this.#ask(candidate, now);
    // The answer may have been overtaken by what the client said after it.
    if (candidate.proven && candidate.leads && client.strayed) this.#move(candidate, now);
    return true;
  }

  #readAs(client: NetcodeServerClient, data: Uint8Array): boolean {
    try {
      this.#isStray = true;
      return this.#netcode.receiveAs(client, data);
    } finally {
      this.#isStray = false;
    }
  }

  /** Its newest packet came from there. As long as the client is heard at its own address too, it is there. */
  #ask(candidate: PathCandidate, now: number): void {
    const { client, challenge, address, port } = candidate;
    this.#candidates.lead(candidate);
    if (now - client.lastReceiveTime <= SILENT_MS || !candidate.takeChallenge(now)) return;
    if (trace.on) trace.event("path-asked", { from: client, to: candidate });
    this.#netcode.sendTo(client, challenge, address, port);
  }

  /** What the datagram brought may be answered in this very tick, so that the answer goes to the new address already. */
  #move(candidate: PathCandidate, now: number): void {
    const { client, address, port } = candidate;
    const before = { address: client.address, port: client.port };
    this.#candidates.remove(candidate);
    const isMoved = this.#netcode.rebind(client, address, port, now);
    if (trace.on) trace.event(isMoved ? "path-proven" : "path-refused", { was: before, now: candidate });
    if (!isMoved) return;
    this.#candidates.add(client, before.address, before.port, now);
    this.#handler.moved(client);
  }

  #look(now: number): void {
    if (now - this.#lookedAt < LOOK_INTERVAL_MS) return;
    this.#lookedAt = now;
    const silent = (client: NetcodeServerClient): boolean =>
      client.connected && now - client.lastReceiveTime > SILENT_MS;
    const known = this.#silent.filter(silent);
    const others = this.#netcode.clients.filter((client) => silent(client) && !known.includes(client));
    this.#silent = [...known, ...others];
  }

  #refill(now: number): void {
    const elapsed = Math.max(0, now - this.#refilledAt);
    this.#tries = Math.min(TRIES_PER_SECOND, this.#tries + (elapsed * TRIES_PER_SECOND) / 1000);
    this.#refilledAt = now;
  }
}

/** Keep alive 4, payload 5 or disconnect 6, with a sequence of 1-8 bytes. */
function isMidGame(prefix: number): boolean {
  const type = prefix & 0x0f;
  const sequenceBytes = prefix >> 4;
  return type >= 4 && type <= 6 && sequenceBytes >= 1 && sequenceBytes <= 8;
}
