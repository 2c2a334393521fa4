/** An invite's code, which is a slow hash of what its host is known by. */
import { INVITE_ALPHABET, INVITE_LENGTH } from "./invite.ts";

const SALT = "sallyport invite 1";
/** RFC 7914: 16 MiB and about 40 ms. */
const COST = { N: 16384, r: 8, p: 1 } as const;

/** Not imported, so that a game in a browser, where there is no scrypt, can load what needs it only to check. */
const crypto = globalThis.process?.getBuiltinModule?.("node:crypto");

/** Whether {@link inviteCodeOf} works here. */
export const CAN_HASH_CODES: boolean = crypto !== undefined;

/** The code that belongs to a host, as `K7Q2-9FXM`. */
export async function inviteCodeOf(verifier: Uint8Array, publicKey: Uint8Array): Promise<string> {
  if (crypto === undefined) throw new Error("There is no scrypt here.");
  const whole = new Uint8Array(verifier.length + publicKey.length);
  whole.set(verifier);
  whole.set(publicKey, verifier.length);
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  crypto.scrypt(whole, SALT, INVITE_LENGTH, COST, (error, hash) => (error ? reject(error) : resolve(hash)));
  // 256 is a multiple of 32, so that taking 5 bits of each byte favours no letter.
  const letters = Array.from(await promise, (byte) => INVITE_ALPHABET[byte & 31] ?? "");
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}
