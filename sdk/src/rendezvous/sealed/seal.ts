/**
 * The part of an invite's link that the lobby never sees: a fingerprint of the host's key, by which a player knows the
 * host, and a pass, by which the host knows that a player has the whole link.
 */
import { blake2b, concat } from "./noise.ts";

const FINGERPRINT_BYTES = 16;
export const PASS_BYTES = 16;
/** In base64url. */
export const SEAL_LENGTH = 43;
const SEAL: RegExp = /^[A-Za-z0-9_-]{43}$/;
const PSK_CONTEXT: Uint8Array = new TextEncoder().encode("sallyport introduction psk 1");

export interface Seal {
  fingerprint: Uint8Array;
  pass: Uint8Array;
}

export function sealText(publicKey: Uint8Array, pass: Uint8Array): string {
  return toBase64Url(concat(fingerprintOf(publicKey), pass));
}

/** Undefined for whatever is none, also one of which a character was lost. */
export function parseSeal(text: string): Seal | undefined {
  if (!SEAL.test(text)) return undefined;
  const bytes = fromBase64Url(text);
  // The last character has two bits to spare: only one writing is right.
  if (bytes?.length !== FINGERPRINT_BYTES + PASS_BYTES || toBase64Url(bytes) !== text) return undefined;
  return { fingerprint: bytes.subarray(0, FINGERPRINT_BYTES), pass: bytes.subarray(FINGERPRINT_BYTES) };
}

/** 128 bits of BLAKE2b: nobody finds another key for it. */
export function fingerprintOf(publicKey: Uint8Array): Uint8Array {
  return blake2b(FINGERPRINT_BYTES, publicKey);
}

/** Both are known to whoever compares, so that time tells nothing. */
export function hasFingerprint(publicKey: Uint8Array, { fingerprint }: Seal): boolean {
  return fingerprintOf(publicKey).every((byte, i) => byte === fingerprint[i]);
}

/** Noise's psk for those who have the pass. */
export function pskOf(pass: Uint8Array): Uint8Array {
  return blake2b(32, PSK_CONTEXT, pass);
}

export function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Undefined if it is none. Call it for short text only. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

/** A public key as it is written in messages: 32 bytes in base64url. */
export function parsePublicKey(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string" || value.length !== 43) return undefined;
  const key = fromBase64Url(value);
  return key?.length === 32 && toBase64Url(key) === value ? key : undefined;
}
