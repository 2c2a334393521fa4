/** The slow hashes of one guest's code, remembered: it is introduced again for each search, and in a page each stops the game. */
import { toHex } from "../wire/base64.ts";
import { publicCodeOf, publicCodeSecret } from "../wire/code.ts";

/** The host's, and those of others who have the code and answer in its place. */
const MAX_KEYS = 4;

export class CodeHashes {
  readonly #secrets = new Map<string, Promise<Uint8Array>>();
  readonly #codes = new Map<string, Promise<string>>();

  /** As {@link publicCodeSecret}. */
  secretOf(code: string): Promise<Uint8Array> {
    return remembered(this.#secrets, code, () => publicCodeSecret(code), 1);
  }

  /** As {@link publicCodeOf}. */
  codeOf(publicKey: Uint8Array): Promise<string> {
    return remembered(this.#codes, toHex(publicKey), () => publicCodeOf(publicKey), MAX_KEYS);
  }
}

/** The oldest is forgotten first, and what failed at once. */
function remembered<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>, most: number): Promise<T> {
  const before = known.get(name);
  if (before !== undefined) return before;
  const made = make();
  known.set(name, made);
  made.catch(() => known.delete(name));
  const [oldest] = known.keys();
  if (known.size > most && oldest !== undefined) known.delete(oldest);
  return made;
}
