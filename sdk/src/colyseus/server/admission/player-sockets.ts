import type { WebSocket } from "ws";

const refs = new WeakMap<WebSocket, object>();

/** What stands for this WebSocket as `ref` of Colyseus' client. */
export function setPlayerRef(socket: WebSocket, ref: object): void {
  refs.set(socket, ref);
}

/** The `ref` of the client that came by this WebSocket: the WebSocket itself, unless it may be left for a session. */
export function playerRef(socket: WebSocket): object {
  return refs.get(socket) ?? socket;
}
