/**
 * All that a host is follows from one secret, which stays with it: the **proof** that its lobby gets, the key to which
 * introductions are sealed, and the pass that only the invite's link carries.
 *
 * An invite proves itself: its code is a slow hash of the host's key and of the proof's hash. A lobby that has been
 * restarted, and remembers nothing, can thus give a returning host its old invite and nobody else; and a player who has
 * but the code can check the key that the lobby names. Either would have to be cheated by some 2^40 slow hashes.
 */
import { createHash, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { parsePublicKey, toBase64Url } from "../wire/base64url.ts";
import { inviteCodeOf } from "../wire/code.ts";
import { PASS_BYTES } from "../wire/seal-text.ts";
import { keyPairOf, type NoiseKeyPair, noiseReady } from "./noise.ts";
import { pskOf, sealText } from "./seal.ts";

/** 32 random bytes in base64url. */
const SECRET: RegExp = /^[A-Za-z0-9_-]{43}$/;
const SALT = "sallyport host 1";

export interface HostIdentity {
  /** `K7Q2-9FXM` */
  code: string;
  /** For the lobby's eyes only: whoever has it may register this invite. */
  proof: string;
  key: NoiseKeyPair;
  /** What the link carries beyond the code. */
  seal: string;
  /** Noise's psk for players who have the link. */
  psk: Uint8Array;
}

export function createHostSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** Of a secret, and of a proof too: both are 32 bytes in base64url. */
export function isHostSecret(value: unknown): value is string {
  return typeof value === "string" && SECRET.test(value);
}

/** The same for the same secret, always. */
export async function hostIdentityOf(secret: string): Promise<HostIdentity> {
  await noiseReady;
  const derive = (what: string, bytes: number): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", secret, SALT, `sallyport host ${what} 1`, bytes));
  const proof = toBase64Url(derive("proof", 32));
  const key = keyPairOf(derive("key", 32));
  const pass = derive("pass", PASS_BYTES);
  const code = await inviteCodeOf(verifierOf(proof), key.publicKey);
  return { code, proof, key, seal: sealText(key.publicKey, pass), psk: pskOf(pass) };
}

/** What of the proof everybody may know. */
export function verifierOf(proof: string): Buffer {
  return createHash("sha256").update(proof).digest();
}

/** Whether code, proof and key belong together. */
export async function ownsInvite(code: unknown, proof: unknown, key: unknown): Promise<boolean> {
  const publicKey = parsePublicKey(key);
  if (!isHostSecret(proof) || publicKey === undefined) return false;
  return (await inviteCodeOf(verifierOf(proof), publicKey)) === code;
}

/** In constant time. */
export function proofMatches(proof: unknown, verifier: Buffer): boolean {
  return isHostSecret(proof) && timingSafeEqual(verifierOf(proof), verifier);
}
