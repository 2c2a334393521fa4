import type { ConnectRequest } from "../wire/connect-request.ts";

/** Whether `URL.hostname` is an address, not a name: URL writes IPv4 in dots and IPv6 in brackets, however they were given. */
export function isAddress(hostname: string): boolean {
  return /^(?:\[.*\]|\d+\.\d+\.\d+\.\d+)$/.test(hostname);
}

/**
 * What to ask the process that has the room, and where.
 *
 * @param roomURL Colyseus' WebSocket address of the seat: `ws://host:port/PREFIX/processId/roomId?sessionId=…`
 * @param path the end of the URL: the same prefix stands before it
 */
export function describeSeat(
  roomURL: URL,
  path: string,
): {
  url: URL;
  authorization: Record<string, string>;
  request: ConnectRequest;
} {
  const { searchParams } = roomURL;
  const parts = roomURL.pathname.split("/");
  const roomId = parts.pop() ?? "";
  // The process id: it is for proxies, which route by it.
  parts.pop();
  const url = new URL(roomURL);
  url.protocol = roomURL.protocol === "wss:" || roomURL.protocol === "https:" ? "https:" : "http:";
  url.pathname = parts.join("/") + path;
  url.search = "";
  const reconnectionToken = searchParams.get("reconnectionToken");
  const authToken = searchParams.get("_authToken");
  return {
    url,
    authorization: authToken === null ? {} : { authorization: `Bearer ${authToken}` },
    request: {
      roomId,
      sessionId: searchParams.get("sessionId") ?? "",
      ...(reconnectionToken === null ? {} : { reconnectionToken }),
      skipHandshake: searchParams.has("skipHandshake"),
    },
  };
}
