import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Endpoint } from "../../net/endpoint.ts";

/** A nonce is good for so long; a client with an older one is told 438 and asks again (RFC 8489 section 9.2). */
const LIFETIME_SECONDS = 600;
const TIME_BYTES = 4;
/** With the time 12 bytes, 16 characters: a challenge must stay small, since its receiver may not have asked. */
const SEAL_BYTES = 8;

/**
 * Nonces that need no memory: the time of issue and a seal over it and the client's address. A request that carries one has heard
 * an answer at that address, so that nobody opens an allocation in another's name.
 */
export class NonceIssuer {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array = randomBytes(32)) {
    this.#key = key;
  }

  /** @param nowMs of a monotonic clock, the same one for {@link isFresh} */
  issue(client: Endpoint, nowMs: number): string {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeUInt32BE(Math.floor(nowMs / 1000) >>> 0);
    return Buffer.concat([time, this.#seal(time, client)]).toString("base64url");
  }

  isFresh(nonce: Uint8Array, client: Endpoint, nowMs: number): boolean {
    const bytes = Buffer.from(Buffer.from(nonce).toString("latin1"), "base64url");
    if (bytes.length !== TIME_BYTES + SEAL_BYTES) return false;
    const age = Math.floor(nowMs / 1000) - bytes.readUInt32BE(0);
    if (age < 0 || age > LIFETIME_SECONDS) return false;
    return timingSafeEqual(bytes.subarray(TIME_BYTES), this.#seal(bytes.subarray(0, TIME_BYTES), client));
  }

  #seal(time: Uint8Array, { address, port }: Endpoint): Buffer {
    return createHmac("sha256", this.#key).update(time).update(`${address} ${port}`).digest().subarray(0, SEAL_BYTES);
  }
}
