/** scrypt (RFC 7914): Node's own, on a thread beside; in a page that of @noble/hashes, loaded when it is needed. */

export interface ScryptCost {
  N: number;
  r: number;
  p: number;
}

/** Not imported, so that a page can load this file. */
const crypto = globalThis.process?.getBuiltinModule?.("node:crypto");

/** Whether a code of a lobby is checked here: not in pages, which trust their lobby. */
export const CAN_HASH_CODES: boolean = crypto !== undefined;

export async function scrypt(secret: Uint8Array, salt: string, bytes: number, cost: ScryptCost): Promise<Uint8Array> {
  if (crypto === undefined) {
    const { scryptAsync } = await import("@noble/hashes/scrypt.js");
    return await scryptAsync(secret, salt, { ...cost, dkLen: bytes });
  }
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  // RFC 7914 section 2: 128 * N * r bytes, and as much again that Node reckons for itself.
  const maxmem = 256 * cost.N * cost.r;
  crypto.scrypt(secret, salt, bytes, { ...cost, maxmem }, (error, hash) => (error ? reject(error) : resolve(hash)));
  return await promise;
}
