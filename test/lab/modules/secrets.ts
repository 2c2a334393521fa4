/**
 * Loaded before a program (`--import`): writes everything random that the program draws, and all that it derives from its host's
 * secret, to the file SALLYPORT_TEST_SECRETS. Keys, passwords and tokens are made of that.
 */
import crypto from "node:crypto";
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const path = process.env["SALLYPORT_TEST_SECRETS"];

function note(bytes: Uint8Array): void {
  if (path !== undefined) appendFileSync(path, `${Buffer.from(bytes).toString("hex")}\n`);
}

if (path !== undefined) {
  const { randomBytes, hkdfSync } = crypto;
  Object.assign(crypto, {
    randomBytes(size: number, callback?: (error: Error | null, bytes: Buffer) => void): Buffer | undefined {
      const bytes = randomBytes(size);
      note(bytes);
      if (callback === undefined) return bytes;
      queueMicrotask(() => callback(null, bytes));
      return undefined;
    },
    hkdfSync(...parameters: Parameters<typeof hkdfSync>): ArrayBuffer {
      const bytes = hkdfSync(...parameters);
      note(new Uint8Array(bytes));
      return bytes;
    },
  });
  syncBuiltinESMExports();
  const web = Object.getPrototypeOf(globalThis.crypto) as Crypto;
  const { getRandomValues } = web;
  web.getRandomValues = function <T extends Parameters<typeof getRandomValues>[0]>(this: Crypto, array: T): T {
    getRandomValues.call(this, array);
    if (array !== null) note(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  };
}
