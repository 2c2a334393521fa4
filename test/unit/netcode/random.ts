import { seededRandom } from "../../../sdk/src/channel/random.ts";

/** Numbers that a seed repeats, so that a failing seed can be run again. */
export class Random {
  /** 0 up to, not including, 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  readonly draw = (bytes: Uint8Array): void => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = this.below(256);
  };

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.draw(bytes);
    return bytes;
  }
}
