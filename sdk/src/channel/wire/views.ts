/** Beyond this many views none is remembered. */
const MAX_VIEWS = 8192;
/** Packets are no longer than this. */
const MAX_PACKET_BYTES = 2048;

let memory: ArrayBufferLike | undefined;
let origin = 0;
const views: Map<number, Uint8Array> = new Map<number, Uint8Array>();

/**
 * `bytes.subarray(start, start + length)`, remembered while all packets stand at one place in memory, as netcode's do: the
 * same few messages stand at the same few places of a packet again and again, and making a view costs more than the rest
 * of reading a small message.
 */
export function viewOf(bytes: Uint8Array, start: number, length: number): Uint8Array {
  const { buffer, byteOffset } = bytes;
  if (buffer !== memory || byteOffset !== origin || bytes.length > MAX_PACKET_BYTES) {
    memory = buffer;
    origin = byteOffset;
    if (views.size > 0) views.clear();
    return bytes.subarray(start, start + length);
  }
  const key = start * (MAX_PACKET_BYTES + 1) + length;
  let view = views.get(key);
  if (view === undefined) {
    view = bytes.subarray(start, start + length);
    if (views.size < MAX_VIEWS) views.set(key, view);
  }
  return view;
}
