/** What a host is known by on public relays; all of it follows from its secret (secret.ts). */
import { hkdfSync } from "node:crypto";
import { publicCodeOf, publicCodeSecret } from "../wire/code.ts";
import { PASS_BYTES } from "../wire/seal-text.ts";
import { keyPairOf, type NoiseKeyPair, noiseReady } from "./noise.ts";
import { sealText } from "./seal.ts";

const SALT = "sallyport host 1";

export interface PublicIdentity {
  /** `K7Q2-9FXM-T3PD` */
  code: string;
  /** What holders of the code can make of it. */
  codeSecret: Uint8Array;
  key: NoiseKeyPair;
  /** What only the link carries. */
  pass: Uint8Array;
  seal: string;
}

/** The same for the same secret, always. Takes two slow hashes. */
export async function publicIdentityOf(secret: string): Promise<PublicIdentity> {
  await noiseReady;
  const derive = (what: string, bytes: number): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", secret, SALT, `sallyport public host ${what} 1`, bytes));
  const key = keyPairOf(derive("key", 32));
  const pass = derive("pass", PASS_BYTES);
  const code = await publicCodeOf(key.publicKey);
  return { code, codeSecret: await publicCodeSecret(code), key, pass, seal: sealText(key.publicKey, pass) };
}
