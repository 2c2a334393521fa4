import type { Endpoint } from "../../net/endpoint.ts";
import { StunAttribute as A, StunErrorCode as Code } from "../../stun/constants.ts";
import { longTermKey } from "../../stun/integrity.ts";
import type { StunMessage } from "../../stun/message.ts";
import { credentialOf, turnCredentialsExpiry } from "../credentials.ts";
import { NonceIssuer } from "./nonce.ts";

/** RFC 8489 section 14.3. */
const MAX_USERNAME_BYTES = 508;

/** Who asks, as far as a request proves it. */
export interface TurnUser {
  readonly username: string;
  /** What quotas count by: the label of minted credentials, else the username. */
  readonly user: string;
  /** Of MESSAGE-INTEGRITY. */
  readonly key: Buffer;
}

/**
 * The server's half of the long-term credential mechanism (RFC 8489 section 9.2.4) with credentials from a shared secret. MD5 and
 * HMAC-SHA1 alone, without PASSWORD-ALGORITHMS, as coturn has it with `use-auth-secret`: the credential is 160 random-looking bits,
 * which no weakness of MD5 makes easier to guess.
 */
export class TurnServerAuthentication {
  readonly #secret: string;
  readonly #realm: string;
  readonly #nonces: NonceIssuer;

  constructor(secret: string, realm: string, nonceKey: Uint8Array | undefined) {
    if (secret === "") throw new RangeError("a TURN server's secret must not be empty");
    if (Buffer.byteLength(realm) > 32) throw new RangeError("a TURN server's realm has at most 32 bytes");
    this.#secret = secret;
    this.#realm = realm;
    this.#nonces = new NonceIssuer(nonceKey);
  }

  get realm(): string {
    return this.#realm;
  }

  nonceFor(client: Endpoint, nowMs: number): string {
    return this.#nonces.issue(client, nowMs);
  }

  /**
   * The user of a request, or the error to answer with.
   * @param holder the user of the allocation that is there. Its credentials serve as long as it lives (RFC 8656 section 5), though
   *   they expire, since a game must not end because its relay's password did.
   */
  check(
    request: StunMessage,
    client: Endpoint,
    holder: TurnUser | undefined,
    nowMs: number,
    unixSeconds: number,
  ): TurnUser | number {
    if (!request.has(A.MESSAGE_INTEGRITY)) return Code.UNAUTHENTICATED;
    const [name, realm, nonce] = [request.get(A.USERNAME), request.get(A.REALM), request.get(A.NONCE)];
    if (name === undefined || realm === undefined || nonce === undefined) return Code.BAD_REQUEST;
    if (name.length > MAX_USERNAME_BYTES) return Code.UNAUTHENTICATED;
    if (!this.#nonces.isFresh(nonce, client, nowMs)) return Code.STALE_NONCE;
    const username = name.toString();
    const user = holder?.username === username ? holder : this.#userOf(username, unixSeconds);
    if (user === undefined || request.integrityMatches(user.key) !== true) return Code.UNAUTHENTICATED;
    return user;
  }

  #userOf(username: string, unixSeconds: number): TurnUser | undefined {
    const expiry = turnCredentialsExpiry(username);
    if (expiry === null || expiry < unixSeconds) return undefined;
    const colon = username.indexOf(":");
    const user = colon < 0 ? username : username.slice(colon + 1);
    return { username, user, key: longTermKey(username, this.#realm, credentialOf(this.#secret, username)) };
  }
}
