const SMALLEST = 64;
const CLASSES = 6; // 64 to 2048 bytes
/** What each class may hold: a tick of a crowded server has as much waiting. */
const KEPT_BYTES_PER_CLASS = 1 << 20;

const free: Uint8Array[][] = Array.from({ length: CLASSES }, () => []);

function classOf(bytes: number): number {
  return bytes <= SMALLEST ? 0 : 32 - Math.clz32((bytes - 1) >>> 6);
}

/** How long the buffer is that {@link takeBuffer} gives. */
export function bufferBytes(bytes: number): number {
  const sizeClass = classOf(bytes);
  return sizeClass >= CLASSES ? bytes : SMALLEST << sizeClass;
}

/** A buffer of at least `bytes`, contents undefined. Shared by all endpoints, so that an idle one holds none. */
export function takeBuffer(bytes: number): Uint8Array {
  const sizeClass = classOf(bytes);
  if (sizeClass >= CLASSES) return new Uint8Array(bytes);
  return free[sizeClass]?.pop() ?? new Uint8Array(SMALLEST << sizeClass);
}

/** Gives a buffer of {@link takeBuffer} back. The caller keeps no reference. */
export function giveBuffer(buffer: Uint8Array): void {
  const kept = free[classOf(buffer.length)];
  const bytes = buffer.length;
  if (kept && kept.length * bytes < KEPT_BYTES_PER_CLASS && (bytes & (bytes - 1)) === 0) kept.push(buffer);
}
