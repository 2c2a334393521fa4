/**
 * Several Colyseus frames in one reliable message, from server to client: what a room says within one turn of the event loop.
 *
 *     0     0xff; no frame of Colyseus begins so (its protocol code is in the low five bits, and 31 is none)
 *     1-    per frame its length as LEB128 (unsigned, at most 4 bytes), then its bytes
 *
 * A frame that is alone travels as it is.
 */
export const BATCH = 0xff;

const MAX_LENGTH_BYTES = 4;

export function encodeBatch(frames: readonly Uint8Array[]): Uint8Array {
  let size = 1;
  for (const { length } of frames) size += lengthBytes(length) + length;
  const batch = new Uint8Array(size);
  batch[0] = BATCH;
  let offset = 1;
  for (const frame of frames) {
    let rest = frame.length;
    for (; rest > 0x7f; rest >>>= 7) batch[offset++] = (rest & 0x7f) | 0x80;
    batch[offset++] = rest;
    batch.set(frame, offset);
    offset += frame.length;
  }
  return batch;
}

function lengthBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : MAX_LENGTH_BYTES;
}

/**
 * Calls `visit` with each frame of a batch, in order; the frames are parts of `batch`.
 * @param visit false ends it
 * @returns false for a malformed batch, from the place on where it is
 */
export function readBatch(batch: Uint8Array, visit: (frame: Uint8Array) => boolean): boolean {
  for (let offset = 1; offset < batch.length; ) {
    let length = 0;
    let shift = 0;
    for (;;) {
      const byte = batch[offset++];
      if (byte === undefined || shift === 7 * MAX_LENGTH_BYTES) return false;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7;
    }
    if (length === 0 || offset + length > batch.length) return false;
    if (!visit(batch.subarray(offset, offset + length))) return true;
    offset += length;
  }
  return true;
}
