/**
 * What a session says when it ends, on its control channel:
 *
 *     0      kind, 1 = close
 *     1-4    u32 LE: reliable messages sent before it on the data channel, modulo 2^32
 *     5-6    u16 LE: code, as in RFC 6455 section 7.4 or the application's own
 *     7-     reason, UTF-8, at most 123 bytes
 *
 * The count keeps the close behind the messages that were sent before it, although it travels on a channel of its own.
 */
export interface CloseFrame {
  code: number;
  text: string;
  /** Deliver only after so many reliable messages. */
  after: number;
}

const KIND_CLOSE = 1;
const HEADER_BYTES = 7;
const MAX_REASON_BYTES = 123;
/** The longest close frame. */
export const MAX_CLOSE_BYTES: number = HEADER_BYTES + MAX_REASON_BYTES;

export function encodeClose({ code, text, after }: CloseFrame): Uint8Array {
  const reason = truncateUtf8(text, MAX_REASON_BYTES);
  const bytes = new Uint8Array(HEADER_BYTES + reason.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KIND_CLOSE);
  view.setUint32(1, after, true);
  view.setUint16(5, code, true);
  bytes.set(reason, HEADER_BYTES);
  return bytes;
}

/** Null for anything that is no close frame. */
export function decodeClose(bytes: Uint8Array): CloseFrame | null {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_CLOSE_BYTES || bytes[0] !== KIND_CLOSE) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    after: view.getUint32(1, true),
    code: view.getUint16(5, true),
    text: new TextDecoder().decode(bytes.subarray(HEADER_BYTES)),
  };
}

function truncateUtf8(text: string, maxBytes: number): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maxBytes) return bytes;
  let end = maxBytes;
  // Continuation bytes are 10xxxxxx: never cut within a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
