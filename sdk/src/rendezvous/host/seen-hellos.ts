/** Each hello counts once: it comes over several relays, is sent again, and strangers copy it. */
import { blake2b } from "../sealed/noise.ts";
import { toHex } from "../wire/base64.ts";

/** Only holders of the invite can make any; the oldest are forgotten first. */
const MAX_SEEN = 20_000;
const HASH_BYTES = 16;

export class SeenHellos<Entry> {
  readonly #seen = new Map<string, { epoch: number; entry: Entry | undefined }>();

  static nameOf(hello: Uint8Array): string {
    return toHex(blake2b(HASH_BYTES, hello));
  }

  has(name: string): boolean {
    return this.#seen.has(name);
  }

  /** What came of it, until it is released. */
  get(name: string): Entry | undefined {
    return this.#seen.get(name)?.entry;
  }

  add(name: string, epoch: number, entry: Entry | undefined): void {
    this.#seen.set(name, { epoch, entry });
    if (this.#seen.size <= MAX_SEEN) return;
    const oldest = this.#seen.keys().next();
    if (!oldest.done) this.#seen.delete(oldest.value);
  }

  /** Keeps but the name. */
  release(name: string): void {
    const seen = this.#seen.get(name);
    if (seen !== undefined) seen.entry = undefined;
  }

  /** Topics of epochs before this one are no longer listened to. */
  forgetBefore(epoch: number): void {
    for (const [name, seen] of this.#seen) if (seen.epoch < epoch) this.#seen.delete(name);
  }
}
