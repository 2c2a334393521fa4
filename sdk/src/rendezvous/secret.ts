/**
 * An invite proves itself: the host makes a random secret, and the invite's code is a slow hash of it. A lobby that has
 * been restarted, and remembers nothing, can thus give a returning host its old invite and nobody else; a person who was
 * invited knows the code, and would have to try 2^40 slow hashes to become the host.
 */
import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { INVITE_ALPHABET, INVITE_LENGTH } from "./invite.ts";

/** 32 random bytes in base64url. */
export const SECRET_LENGTH = 43;
const SECRET: RegExp = /^[A-Za-z0-9_-]{43}$/;
const SALT = "sallyport invite 1";
/** RFC 7914: 16 MiB and about 40 ms. */
const COST = { N: 16384, r: 8, p: 1 } as const;

export function createHostSecret(): string {
  return randomBytes(32).toString("base64url");
}

export function isHostSecret(value: unknown): value is string {
  return typeof value === "string" && SECRET.test(value);
}

/** The code that belongs to a secret, as `K7Q2-9FXM`. */
export async function inviteCodeOf(secret: string): Promise<string> {
  const hash = await new Promise<Buffer>((resolve, reject) => {
    scrypt(secret, SALT, INVITE_LENGTH, COST, (error, key) => (error ? reject(error) : resolve(key)));
  });
  // 256 is a multiple of 32, so that taking 5 bits of each byte favours no letter.
  const letters = Array.from(hash, (byte) => INVITE_ALPHABET[byte & 31] ?? "");
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

export function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** In constant time. */
export function secretMatches(secret: unknown, digest: Buffer): boolean {
  return isHostSecret(secret) && timingSafeEqual(digestOf(secret), digest);
}
