import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

import { FINGERPRINT_XOR, STUN_HEADER_BYTES } from "./constants.ts";

/** The hash of MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256. */
export type IntegrityAlgorithm = "sha1" | "sha256";

/** Bytes of MESSAGE-INTEGRITY; MESSAGE-INTEGRITY-SHA256 has up to 32 (RFC 8489 sections 14.5 and 14.6). */
export const INTEGRITY_BYTES: Readonly<Record<IntegrityAlgorithm, number>> = { sha1: 20, sha256: 32 };

/**
 * The HMAC over a message up to `end`, where its integrity attribute begins. The header's length must count that
 * attribute and nothing after it, so it is hashed from a copy.
 */
export function messageHmac(
  message: Uint8Array,
  end: number,
  valueBytes: number,
  key: Uint8Array,
  algorithm: IntegrityAlgorithm,
): Buffer {
  const header = Buffer.from(message.subarray(0, STUN_HEADER_BYTES));
  header.writeUInt16BE(end + 4 + valueBytes - STUN_HEADER_BYTES, 2);
  return createHmac(algorithm, key).update(header).update(message.subarray(STUN_HEADER_BYTES, end)).digest();
}

/** Compares in constant time; `received` may be shortened, as RFC 8489 section 14.6 allows for SHA-256. */
export function hmacMatches(received: Uint8Array, expected: Uint8Array): boolean {
  return received.length <= expected.length && timingSafeEqual(received, expected.subarray(0, received.length));
}

/** FINGERPRINT's value for a message up to `end`, where that attribute begins. Its header counts it already. */
export function fingerprint(message: Uint8Array, end: number): number {
  const header = Buffer.from(message.subarray(0, STUN_HEADER_BYTES));
  header.writeUInt16BE(end + 8 - STUN_HEADER_BYTES, 2);
  return (crc32(message.subarray(STUN_HEADER_BYTES, end), crc32(header)) ^ FINGERPRINT_XOR) >>> 0;
}

/** The key of the short-term mechanism (RFC 8489 section 9.1.1). */
export function shortTermKey(password: string): Buffer {
  return Buffer.from(opaqueString(password));
}

/** The key of the long-term mechanism (RFC 8489 section 9.2.2): MD5, or SHA-256 where PASSWORD-ALGORITHM says so. */
export function longTermKey(
  username: string,
  realm: string,
  password: string,
  algorithm: "md5" | "sha256" = "md5",
): Buffer {
  return createHash(algorithm)
    .update(`${username}:${opaqueString(realm)}:${opaqueString(password)}`)
    .digest();
}

/** USERHASH's value (RFC 8489 section 14.4). */
export function userHash(username: string, realm: string): Buffer {
  return createHash("sha256")
    .update(`${username}:${opaqueString(realm)}`)
    .digest();
}

/** OpaqueString of RFC 8265 section 4.2: spaces of other scripts become plain ones, then NFC. */
function opaqueString(text: string): string {
  return text.replace(/\p{Zs}/gu, " ").normalize("NFC");
}
