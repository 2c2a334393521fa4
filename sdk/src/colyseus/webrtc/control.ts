/**
 * What two ends of a WebRTC session say to each other beside the game's own messages. The game's messages are binary, these are
 * text: a data channel keeps the two apart (RFC 8831 section 8), so that no byte is spent on telling which is which.
 *
 *     ["join"]                   reliable, client to server, first: the client stands by this way from now on, so its seat may be taken
 *     ["parts", BYTES]           reliable: the binary messages that follow are one message of so many bytes, cut into {@link PART_BYTES}
 *     ["close", CODE, REASON]    reliable: goodbye, with a code as in RFC 6455 section 7.4; nothing comes after it
 *     ["ping", N], ["pong", N]   unreliable: are you there, and how far is it; the answer repeats the number
 */
export type ControlMessage =
  | ["join"]
  | ["parts", bytes: number]
  | ["close", code: number, reason: string]
  | ["ping", number: number]
  | ["pong", number: number];

/**
 * A longer message goes in parts of this size (the last one shorter). It fits every implementation's largest message (Chromium and
 * libdatachannel have 256 KiB, RFC 8841 section 6 guarantees 64 KiB), and unreliable messages need not wait for a whole big one.
 */
export const PART_BYTES = 16_384;

/** RFC 6455 section 5.5.1: 125 bytes less the code. */
const MAX_REASON_CHARACTERS = 123;
const MAX_CONTROL_CHARACTERS = 1024;

export function encodeControl(message: ControlMessage): string {
  const [kind, code, reason] = message;
  return JSON.stringify(kind === "close" ? [kind, code, reason.slice(0, MAX_REASON_CHARACTERS)] : message);
}

/** @returns null for anything that is none */
export function parseControl(text: string): ControlMessage | null {
  if (text.length > MAX_CONTROL_CHARACTERS) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(json)) return null;
  const [kind, value, reason] = json as unknown[];
  if (kind === "join") return [kind];
  if (!isCount(value)) return null;
  switch (kind) {
    case "parts":
    case "ping":
    case "pong":
      return [kind, value];
    case "close":
      if (value > 0xffff || typeof reason !== "string") return null;
      return [kind, value, reason.slice(0, MAX_REASON_CHARACTERS)];
    default:
      return null;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
