/**
 * What a client and a server of Sallyport's say to each other over a WebSocket beside Colyseus' frames. Those are binary, these are
 * text: a JSON array of at most {@link MAX_CONTROL_CHARACTERS} characters. They are sent only where the client asked for it in the
 * WebSocket's URL, by {@link CONTROL_PARAMETER}.
 *
 *     ["upgrade", KEY]    server to client, first: who has the key may bring a session to this player
 *     ["moved"]           both ways: nothing comes after it here, what follows comes over the session
 */
export type WebSocketControl = ["upgrade", key: string] | ["moved"];

/** Parameter of the WebSocket's URL; its value is the version of what is said here. */
export const CONTROL_PARAMETER = "sallyport";
export const CONTROL_PROTOCOL = "1";

/** 16 bytes in hexadecimal. */
const KEY = /^[0-9a-f]{32}$/;
const MAX_CONTROL_CHARACTERS = 256;

export function isUpgradeKey(text: unknown): text is string {
  return typeof text === "string" && KEY.test(text);
}

export function encodeControl(message: WebSocketControl): string {
  return JSON.stringify(message);
}

/** @returns null for anything that is none: a later version's, say */
export function parseControl(text: string): WebSocketControl | null {
  if (text.length > MAX_CONTROL_CHARACTERS) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(json)) return null;
  const [kind, key] = json as unknown[];
  if (kind === "moved") return [kind];
  return kind === "upgrade" && isUpgradeKey(key) ? [kind, key] : null;
}
