/** A lobby that was told no name of its own says `localhost`: on another machine, that is the lobby's host as one has dialed it. */
import { addressScope } from "../../net/scope.ts";
import type { TraversalServers } from "./servers.ts";

const SERVER = /^(stuns?|turns?):(\[[^\]]*\]|[^:?]+)(.*)$/;

export function isLoopbackName(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  return bare === "localhost" || addressScope(bare) === "loopback";
}

/** A STUN or TURN URL (RFC 7064, RFC 7065) of a lobby, as one sees it who has dialed `lobby`. */
export function serverSeenFrom(url: string, lobby: string | URL): string {
  const { hostname } = new URL(lobby);
  const [, scheme = "", host = "", rest = ""] = SERVER.exec(url) ?? [];
  return scheme !== "" && isLoopbackName(host) ? `${scheme}:${hostname}${rest}` : url;
}

export function serversSeenFrom({ stun, turn }: TraversalServers, lobby: string | URL): TraversalServers {
  return {
    stun: stun.map((url) => serverSeenFrom(url, lobby)),
    turn: turn.map((access) => ({ ...access, urls: access.urls.map((url) => serverSeenFrom(url, lobby)) })),
  };
}
