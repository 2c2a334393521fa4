/**
 * The part of an invite's link that the lobby never sees: a fingerprint of the host's key, by which a player knows the
 * host, and a pass, by which the host knows that a player has the whole link.
 */
import { FINGERPRINT_BYTES, formatSeal, type Seal } from "../wire/seal-text.ts";
import { blake2b } from "./noise.ts";

const PSK_CONTEXT: Uint8Array = new TextEncoder().encode("sallyport introduction psk 1");

export function sealText(publicKey: Uint8Array, pass: Uint8Array): string {
  return formatSeal({ fingerprint: fingerprintOf(publicKey), pass });
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
