import { PART_BYTES } from "./control.ts";

/** What the objects around a part weigh, bytes. */
const PART_OVERHEAD = 256;

/** Puts a message together that came in parts. Nothing is allocated for what is only announced. */
export class PartAssembly {
  readonly #bytes: number;
  readonly #parts: Uint8Array[] = [];
  #received = 0;
  /** What is kept, bytes. */
  held = 0;

  /** @param bytes as announced */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /**
   * @param part valid only during the call
   * @returns the message when it is whole, undefined before, null for a part that no correct sender makes
   */
  add(part: Uint8Array): Uint8Array | undefined | null {
    if (part.length !== Math.min(PART_BYTES, this.#bytes - this.#received)) return null;
    this.#parts.push(part.slice());
    this.#received += part.length;
    this.held += part.length + PART_OVERHEAD;
    if (this.#received < this.#bytes) return undefined;
    const message = new Uint8Array(this.#bytes);
    this.#parts.forEach((each, i) => message.set(each, i * PART_BYTES));
    return message;
  }
}
