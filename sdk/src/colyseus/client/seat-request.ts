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
      protocol,
      roomId,
      sessionId: searchParams.get("sessionId") ?? "",
      ...(reconnectionToken === null ? {} : { reconnectionToken }),
      skipHandshake: searchParams.has("skipHandshake"),
    },
  };
}
