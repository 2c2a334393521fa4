/** How an invite's link writes its seal: 43 characters of base64url. What a seal is worth stands in sealed/seal.ts. */
import { fromBase64Url, toBase64Url } from "./base64url.ts";

export const FINGERPRINT_BYTES = 16;
export const PASS_BYTES = 16;
/** 32 bytes in base64url. */
const SEAL: RegExp = /^[A-Za-z0-9_-]{43}$/;

export interface Seal {
  /** Of the host's key: by it a player knows the host. */
  fingerprint: Uint8Array;
  /** By it the host knows that a player has the whole link. */
  pass: Uint8Array;
}

export function formatSeal({ fingerprint, pass }: Seal): string {
  const bytes = new Uint8Array(FINGERPRINT_BYTES + PASS_BYTES);
  bytes.set(fingerprint);
  bytes.set(pass, FINGERPRINT_BYTES);
  return toBase64Url(bytes);
}

/** Undefined for whatever is none, also one of which a character was lost. */
export function parseSeal(text: string): Seal | undefined {
  if (!SEAL.test(text)) return undefined;
  const bytes = fromBase64Url(text);
  // The last character has two bits to spare: only one writing is right.
  if (bytes?.length !== FINGERPRINT_BYTES + PASS_BYTES || toBase64Url(bytes) !== text) return undefined;
  return { fingerprint: bytes.subarray(0, FINGERPRINT_BYTES), pass: bytes.subarray(FINGERPRINT_BYTES) };
}
