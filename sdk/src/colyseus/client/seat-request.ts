import { describeServer, ProtocolMismatchError, readProtocol } from "../../session/versions.ts";
import type { ConnectRequest } from "../wire/connect-request.ts";

/** Whether `URL.hostname` is an address, not a name: URL writes IPv4 in dots and IPv6 in brackets, however they were given. */
export function isAddress(hostname: string): boolean {
  return /^(?:\[.*\]|\d+\.\d+\.\d+\.\d+)$/.test(hostname);
}

/** Who answers names the version that it speaks. @throws ProtocolMismatchError for another than ours */
export function checkProtocol({ protocol }: { protocol?: unknown }, ours: number, name: string): void {
  const theirs = protocol === undefined ? null : readProtocol(protocol);
  if (theirs === null) throw new Error("the server's answer is none of Sallyport's");
  if (theirs !== ours) throw new ProtocolMismatchError(describeServer(name, theirs, ours));
}

/** In a room's URL, for the client alone: the key of a WebSocket that is to be left for a session. */
export const UPGRADE_PARAMETER = "upgrade";

/**
 * What to ask the process that has the room, and where.
 *
 * @param roomURL Colyseus' WebSocket address of the seat: `ws://host:port/PREFIX/processId/roomId?sessionId=…`
 * @param path the end of the URL: the same prefix stands before it
 * @param protocol what we speak there
 */
export function describeSeat(
  roomURL: URL,
  path: string,
  protocol: number,
): {
  url: URL;
  authorization: Record<string, string>;
  request: ConnectRequest;
} {
  const { searchParams } = roomURL;
  const roomId = roomURL.pathname.split("/").at(-1) ?? "";
  const url = serverURL(roomURL, path);
  const reconnectionToken = searchParams.get("reconnectionToken");
  const upgrade = searchParams.get(UPGRADE_PARAMETER);
  const authToken = searchParams.get("_authToken");
  return {
    url,
    authorization: authToken === null ? {} : { authorization: `Bearer ${authToken}` },
    request: {
      protocol,
      roomId,
      sessionId: searchParams.get("sessionId") ?? "",
      ...(reconnectionToken === null ? {} : { reconnectionToken }),
      skipHandshake: searchParams.has("skipHandshake"),
      ...(upgrade === null ? {} : { upgrade }),
    },
  };
}

/** A path of the server that has the room: the same prefix stands before it. */
export function serverURL(roomURL: URL, path: string): URL {
  const url = new URL(roomURL);
  url.protocol = roomURL.protocol === "wss:" || roomURL.protocol === "https:" ? "https:" : "http:";
  // The last two are the room, and the process id, by which proxies route.
  url.pathname = roomURL.pathname.split("/").slice(0, -2).join("/") + path;
  url.search = "";
  return url;
}
