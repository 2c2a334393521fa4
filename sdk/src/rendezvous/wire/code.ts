/**
 * An invite's code, which is a slow hash of what its host is known by (RFC 7914, scrypt):
 *
 * - a lobby's: 40 bits of what the host's key and the hash of its proof come to;
 * - of `public`: 60 bits of what the host's key alone comes to.
 */
import { INVITE_ALPHABET, INVITE_LENGTH, PUBLIC_INVITE_LENGTH } from "./invite.ts";
import { CAN_HASH_CODES, type ScryptCost, scrypt } from "./scrypt.ts";

export { CAN_HASH_CODES };

/** 16 MiB and about 40 ms. */
const LOBBY: ScryptCost = { N: 2 ** 14, r: 8, p: 1 };
/**
 * 64 MiB and 0.2-0.3 s on a desktop: whoever has recorded relays may try codes for as long as they like (SECURITY.md reckons
 * what that takes).
 */
const PUBLIC: ScryptCost = { N: 2 ** 16, r: 8, p: 1 };

/** The code that belongs to a host at a lobby, as `K7Q2-9FXM`. Node only: see {@link CAN_HASH_CODES}. */
export async function inviteCodeOf(verifier: Uint8Array, publicKey: Uint8Array): Promise<string> {
  const whole = new Uint8Array(verifier.length + publicKey.length);
  whole.set(verifier);
  whole.set(publicKey, verifier.length);
  return written(await scrypt(whole, "sallyport invite 1", INVITE_LENGTH, LOBBY));
}

/** The code that belongs to a host on public relays, as `K7Q2-9FXM-T3PD`. */
export async function publicCodeOf(publicKey: Uint8Array): Promise<string> {
  return written(await scrypt(publicKey, "sallyport public invite 1", PUBLIC_INVITE_LENGTH, PUBLIC));
}

/** What holders of a code know and others do not: 64 bytes, from which topics and keys are made. */
export function publicCodeSecret(code: string): Promise<Uint8Array> {
  return scrypt(new TextEncoder().encode(code), "sallyport public code 1", 64, PUBLIC);
}

function written(hash: Uint8Array): string {
  // 256 is a multiple of 32, so that taking 5 bits of each byte favours no letter.
  const letters = Array.from(hash, (byte) => INVITE_ALPHABET[byte & 31] ?? "").join("");
  return (letters.match(/.{4}/g) ?? []).join("-");
}
