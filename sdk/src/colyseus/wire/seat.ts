/** A seat in a room, as the connect token carries it from the HTTP request to the UDP session. */
export interface Seat {
  roomId: string;
  sessionId: string;
  /** Empty for a fresh seat. */
  reconnectionToken: string;
  skipHandshake: boolean;
  /** The key of a WebSocket on which the player is in the room already. Only without a reconnection token. */
  upgrade?: string;
}

/** netcode's user data: encrypted, so that neither the client nor the way there can change it. */
const USER_DATA_BYTES = 256;
const VERSION = 1;
const FLAG_SKIP_HANDSHAKE = 1;
const FLAG_UPGRADE = 2;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 *     0     version, 1
 *     1     flags: 1 = skip the handshake, 2 = the third string is the key of a WebSocket
 *     2-    three strings, each a u8 length and so many bytes of UTF-8: room id, session id, reconnection token
 *           zeros up to 256
 *
 * @returns null when it does not fit.
 */
export function encodeSeat(seat: Seat): Uint8Array | null {
  const userData = new Uint8Array(USER_DATA_BYTES);
  userData[0] = VERSION;
  const { upgrade } = seat;
  userData[1] = (seat.skipHandshake ? FLAG_SKIP_HANDSHAKE : 0) | (upgrade === undefined ? 0 : FLAG_UPGRADE);
  let offset = 2;
  for (const text of [seat.roomId, seat.sessionId, upgrade ?? seat.reconnectionToken]) {
    const bytes = Buffer.from(text);
    if (bytes.length > 255 || offset + 1 + bytes.length > USER_DATA_BYTES) return null;
    userData[offset] = bytes.length;
    userData.set(bytes, offset + 1);
    offset += 1 + bytes.length;
  }
  return userData;
}

/** @returns null for anything that {@link encodeSeat} does not write. */
export function decodeSeat(userData: Uint8Array): Seat | null {
  if (userData.length !== USER_DATA_BYTES || userData[0] !== VERSION) return null;
  const texts: string[] = [];
  let offset = 2;
  for (let i = 0; i < 3; i++) {
    const end = offset + 1 + (userData[offset] ?? 0);
    if (end > USER_DATA_BYTES) return null;
    try {
      texts.push(decoder.decode(userData.subarray(offset + 1, end)));
    } catch {
      return null;
    }
    offset = end;
  }
  const [roomId = "", sessionId = "", third = ""] = texts;
  if (roomId === "" || sessionId === "") return null;
  const flags = userData[1] ?? 0;
  const seat = { roomId, sessionId, skipHandshake: (flags & FLAG_SKIP_HANDSHAKE) !== 0 };
  if ((flags & FLAG_UPGRADE) === 0) return { ...seat, reconnectionToken: third };
  return { ...seat, reconnectionToken: "", upgrade: third };
}
