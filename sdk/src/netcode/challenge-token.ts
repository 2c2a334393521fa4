import { CHALLENGE_TOKEN_BYTES, CHALLENGE_TOKEN_PLAIN_BYTES, USER_DATA_BYTES } from "./constants.ts";
import { getSlab } from "./sodium.ts";

const ENCRYPTED_BYTES = CHALLENGE_TOKEN_BYTES;

/** What a challenge token says, under a key that only the server has: client id and user data, from the connect token. */
export interface ChallengeToken {
  clientId: bigint;
  userData: Uint8Array;
}

/** 300 bytes, the last 16 (the tag's place) zero (STANDARD.md, "Challenge Token"). */
export function writeChallengeToken(token: ChallengeToken): Uint8Array {
  const bytes = new Uint8Array(CHALLENGE_TOKEN_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, token.clientId, true);
  bytes.set(token.userData, 8);
  return bytes;
}

/** Encrypts; the associated data is empty. `key` is a cell. */
export function sealChallengeToken(token: ChallengeToken, low: number, high: number, key: number): Uint8Array {
  const slab = getSlab();
  slab.u8.set(writeChallengeToken(token), slab.body);
  slab.setNonce(low, high);
  slab.seal(slab.wireOut, slab.body, CHALLENGE_TOKEN_PLAIN_BYTES, 0, 0, key);
  return slab.u8.slice(slab.wireOut, slab.wireOut + ENCRYPTED_BYTES);
}

/** Null if it is not one of ours. */
export function openChallengeToken(
  encrypted: Uint8Array,
  low: number,
  high: number,
  key: number,
): ChallengeToken | null {
  const slab = getSlab();
  slab.u8.set(encrypted, slab.wireIn);
  slab.setNonce(low, high);
  if (!slab.open(slab.plain, slab.wireIn, ENCRYPTED_BYTES, 0, 0, key)) return null;
  const plain = slab.plainView(CHALLENGE_TOKEN_PLAIN_BYTES);
  return {
    clientId: new DataView(plain.buffer, plain.byteOffset, plain.byteLength).getBigUint64(0, true),
    userData: new Uint8Array(plain.subarray(8, 8 + USER_DATA_BYTES)),
  };
}
