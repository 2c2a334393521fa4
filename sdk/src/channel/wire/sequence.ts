/** 16 bit sequence numbers that wrap (reliable 1.0, "General Conventions"). */

/**
 * Whether `a` is newer than `b`. Exactly half the range apart, the numerically larger one is newer, as the reference
 * implementation has it.
 */
export function sequenceNewer(a: number, b: number): boolean {
  return a > b ? a - b <= 0x8000 : b - a > 0x8000;
}

/** How far `a` is ahead of `b`, 0-65535. */
export function sequenceDistance(a: number, b: number): number {
  return (a - b) & 0xffff;
}
