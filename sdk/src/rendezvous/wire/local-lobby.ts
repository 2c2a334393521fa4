import { addressScope } from "../../net/scope.ts";

const LOCAL_SCOPES = new Set(["loopback", "private", "link-local"]);

/**
 * Whether a lobby stands on this machine or this network, by its URL's address: then so do the players that it brings
 * together, and private addresses may be tried. A name other than `localhost` says nothing.
 */
export function isLocalLobby(lobby: string | URL | undefined): boolean {
  if (lobby === undefined || !URL.canParse(lobby.toString())) return false;
  const hostname = new URL(lobby).hostname.replace(/^\[|\]$/g, "");
  return hostname === "localhost" || LOCAL_SCOPES.has(addressScope(hostname));
}
