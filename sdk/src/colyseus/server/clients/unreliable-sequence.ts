/** `Protocol.ROOM_STATE`, alone or with `ProtocolModifier.TIMED`. */
const ROOM_STATE = 14;
/** `Protocol.ROOM_STATE_PATCH | ProtocolModifier.UNRELIABLE`: a u16 LE sequence number follows. */
const UNRELIABLE_PATCH = 0x4f;
const CODE_MASK = 0x1f;

/**
 * Gives each client its own numbering of unreliable state patches.
 *
 * Colyseus numbers them for the room as a whole, modulo 65536, and a client drops what is not newer than the last one it
 * applied, counted from 0 at the full state. Whoever joins while the room's number is 32768-65535 therefore takes every patch
 * for an old one until the number wraps: at 20 Hz for up to 27 minutes. Counted from the client's own full state, the first
 * patch is 1 for everybody.
 */
export class UnreliableSequence {
  #base: number | undefined;

  /** Must see every frame that is sent reliably: the full state begins a new count. */
  reliable(frame: Uint8Array): void {
    if (((frame[0] ?? 0) & CODE_MASK) === ROOM_STATE) this.#base = undefined;
  }

  /** Whether {@link renumber} has something to say about this frame. */
  concerns(frame: Uint8Array): boolean {
    return frame.length >= 3 && frame[0] === UNRELIABLE_PATCH;
  }

  /** Renumbers an unreliable patch in place. @returns the number that it had. */
  renumber(frame: Uint8Array): number {
    const roomSequence = readSequence(frame);
    this.#base ??= (roomSequence - 1) & 0xffff;
    writeSequence(frame, (roomSequence - this.#base) & 0xffff);
    return roomSequence;
  }
}

export function readSequence(frame: Uint8Array): number {
  return (frame[1] ?? 0) | ((frame[2] ?? 0) << 8);
}

export function writeSequence(frame: Uint8Array, sequence: number): void {
  frame[1] = sequence & 0xff;
  frame[2] = sequence >>> 8;
}
