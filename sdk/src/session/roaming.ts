import type { NetcodeServer } from "../netcode/server.ts";
import type { NetcodeServerClient } from "../netcode/types.ts";

/** Connected clients send at 10 Hz at least; one that has been silent this long (ms) may have moved. */
const SILENT_MS = 150;
/** A stranger's datagram is held against at most so many silent clients' keys, about 2 µs each. */
const TRIES_PER_DATAGRAM = 8;
/** All strangers together, per second: what junk can cost while many clients are silent. */
const TRIES_PER_SECOND = 4000;
/** The silent are looked for at most this often (ms), so that a flood does not make us look for each datagram. */
const LOOK_INTERVAL_MS = 20;
/** Prefix byte, shortest sequence, tag: less is no encrypted packet (netcode 1.02). */
const MIN_PACKET_BYTES = 18;

/**
 * Follows clients whose address changed in mid-game: the NAT forgot them, or the Wi-Fi gave way to mobile. netcode has no
 * connection id, so a datagram from nowhere is held against the keys of those who fell silent. It moves its client only
 * if it is authentic, no replay, and the newest so far (RFC 9000 section 9.3 asks the same).
 */
export class Roaming {
  readonly #netcode: NetcodeServer;
  #silent: NetcodeServerClient[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #tries = TRIES_PER_SECOND;
  #refilledAt = 0;
  readonly #moved: (client: NetcodeServerClient) => void;

  constructor(netcode: NetcodeServer, moved: (client: NetcodeServerClient) => void) {
    this.#netcode = netcode;
    this.#moved = moved;
  }

  /** For a datagram that netcode did not know. @returns whether it was a client's, which now has the new address */
  receive(data: Uint8Array, address: string, port: number, now: number): boolean {
    if (data.length < MIN_PACKET_BYTES || !isMidGame(data[0] ?? 0)) return false;
    this.#look(now);
    if (this.#silent.length === 0) return false;
    this.#refill(now);
    for (let position = 0; position < Math.min(this.#silent.length, TRIES_PER_DATAGRAM); position++) {
      const client = this.#silent[position];
      if (!client || this.#tries < 1) return false;
      this.#tries--;
      // Rebinding comes after: receiving hands the payload up, and the answer may leave in the same tick.
      if (!this.#netcode.receiveAs(client, data, now)) continue;
      this.#silent.splice(position, 1);
      if (!client.connected || !client.newest || !this.#netcode.rebind(client, address, port)) return true;
      this.#moved(client);
      return true;
    }
    // Those who were not it go to the end, so that every silent client has its turn.
    this.#silent.push(...this.#silent.splice(0, TRIES_PER_DATAGRAM));
    return false;
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
