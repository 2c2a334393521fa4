/** The `via` of candidates that are the game's own socket; relays have names of their own. */
export const SOCKET = "socket";

/** Further sockets of ours, opened beside the game's, are `socket:1` and so on; everything else is a relay. */
export function isSocket(via: string): boolean {
  return via === SOCKET || via.startsWith("socket:");
}
