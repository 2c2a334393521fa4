import type { StunBuilder } from "../stun/builder.ts";
import { StunAttribute as A, StunErrorCode } from "../stun/constants.ts";
import { type IntegrityAlgorithm, longTermKey, userHash } from "../stun/integrity.ts";
import type { StunMessage } from "../stun/message.ts";
import type { TurnCredentials } from "./credentials.ts";

/** RFC 8489 section 9.2: a nonce that begins so tells in four more characters what the server can do. */
const NONCE_COOKIE = "obMatJos2";
/**
 * Security features in these 24 bits. The text of RFC 8489 section 18.1 numbers them from the left, as RFC 8656's example
 * does; its own example B.1 and erratum 6290 from the right. Both ends are unassigned otherwise, so that either counts.
 */
const PASSWORD_ALGORITHMS_BITS = 0x800001;
const USERNAME_ANONYMITY_BITS = 0x400002;
/** RFC 8489 section 18.5. */
const ALGORITHMS: ReadonlyMap<number, "md5" | "sha256"> = new Map([
  [0x0001, "md5"],
  [0x0002, "sha256"],
]);
/** Of REALM and NONCE, RFC 8489 sections 14.9 and 14.10. */
const MAX_TEXT_BYTES = 763;

/** What a server demands; it changes as a whole. */
interface Challenge {
  readonly realm: Buffer;
  readonly nonce: Buffer;
  readonly key: Buffer;
  readonly integrity: IntegrityAlgorithm;
  /** PASSWORD-ALGORITHMS as the server sent it, and our choice. */
  readonly algorithms: { offered: Buffer; chosen: number } | null;
  readonly anonymous: boolean;
}

/** The long-term credential mechanism of RFC 8489 section 9.2 for one server: what it asked for, and what we answer. */
export class LongTermAuthentication {
  readonly #credentials: TurnCredentials | null;
  #challenge: Challenge | null = null;

  constructor(credentials: TurnCredentials | null) {
    this.#credentials = credentials;
  }

  /** Empty without credentials. */
  get username(): string {
    return this.#credentials?.username ?? "";
  }

  /** Whether requests are signed from now on. */
  get ready(): boolean {
    return this.#challenge !== null;
  }

  /** Adds credentials, integrity and fingerprint to a request, as far as the server has asked for them. */
  sign(builder: StunBuilder): Buffer {
    const challenge = this.#challenge;
    if (challenge === null || this.#credentials === null) return builder.fingerprint().build();
    const { username } = this.#credentials;
    const { realm, nonce, algorithms } = challenge;
    if (challenge.anonymous) builder.add(A.USERHASH, userHash(username, realm.toString()));
    else builder.text(A.USERNAME, username);
    builder.add(A.REALM, realm).add(A.NONCE, nonce);
    if (algorithms !== null) {
      builder.add(A.PASSWORD_ALGORITHMS, algorithms.offered).uint32(A.PASSWORD_ALGORITHM, algorithms.chosen << 16);
    }
    return builder.integrity(challenge.key, challenge.integrity).fingerprint().build();
  }

  /**
   * Whether a response to a request (signed or not) is to be believed. Only 401 and 438 may come without integrity, since
   * the server may not know the key then; what fails is as if it had not come (RFC 8489 section 9.2.5).
   */
  accepts(response: StunMessage, signed: boolean): boolean {
    const code = response.class === "error" ? response.errorCode()?.code : undefined;
    if (code === StunErrorCode.UNAUTHENTICATED || code === StunErrorCode.STALE_NONCE) return !isBidDown(response);
    const challenge = this.#challenge;
    if (!signed || challenge === null) return true;
    return response.integrityMatches(challenge.key, challenge.integrity) === true;
  }

  /**
   * Takes what a 401 or a 438 asks for.
   * @returns whether the request, signed now, may be sent again: not where the same realm refuses our credentials, and
   *   not without credentials or without a realm and nonce
   */
  challenged(response: StunMessage, signed: boolean): boolean {
    const credentials = this.#credentials;
    const before = this.#challenge;
    const stale = response.errorCode()?.code === StunErrorCode.STALE_NONCE;
    const nonce = copy(response.get(A.NONCE));
    const realm = copy(response.get(A.REALM)) ?? (stale ? (before?.realm ?? null) : null);
    if (credentials === null || nonce === null || realm === null) return false;
    if (signed && !stale && before?.realm.equals(realm) === true) return false;
    const offered = response.get(A.PASSWORD_ALGORITHMS);
    const chosen = offered === undefined ? 1 : chooseAlgorithm(offered);
    const algorithm = chosen === null ? undefined : ALGORITHMS.get(chosen);
    if (chosen === null || algorithm === undefined) return false;
    this.#challenge = {
      realm,
      nonce,
      key: longTermKey(credentials.username, realm.toString(), credentials.credential, algorithm),
      integrity: offered === undefined ? "sha1" : "sha256",
      algorithms: offered === undefined ? null : { offered: Buffer.from(offered), chosen },
      anonymous: (securityFeatures(nonce) & USERNAME_ANONYMITY_BITS) !== 0,
    };
    return true;
  }
}

/** A copy, since what is kept for minutes must not keep a whole datagram's memory with it. */
function copy(value: Buffer | undefined): Buffer | null {
  return value === undefined || value.length > MAX_TEXT_BYTES ? null : Buffer.from(value);
}

function securityFeatures(nonce: Buffer): number {
  const text = nonce.toString("latin1", 0, NONCE_COOKIE.length + 4);
  if (!text.startsWith(NONCE_COOKIE)) return 0;
  const bits = Buffer.from(text.slice(NONCE_COOKIE.length), "base64");
  return bits.length === 3 ? bits.readUIntBE(0, 3) : 0;
}

/** Somebody on the path took away the list of algorithms that the nonce speaks of. */
function isBidDown(response: StunMessage): boolean {
  const nonce = response.get(A.NONCE);
  if (nonce === undefined || response.has(A.PASSWORD_ALGORITHMS)) return false;
  return (securityFeatures(nonce) & PASSWORD_ALGORITHMS_BITS) !== 0;
}

/** The first of the server's list that we know (RFC 8489 section 14.11); none of them takes parameters. */
function chooseAlgorithm(offered: Buffer): number | null {
  for (let offset = 0; offset + 4 <= offered.length; ) {
    const algorithm = offered.readUInt16BE(offset);
    const parameters = offered.readUInt16BE(offset + 2);
    if (parameters === 0 && ALGORITHMS.has(algorithm)) return algorithm;
    offset += 4 + parameters + (-parameters & 3);
  }
  return null;
}
