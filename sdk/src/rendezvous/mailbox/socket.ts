/** The stream to a relay. Pages have WebSocket; Node's, which also has TCP and bounds what it reads, is in socket-node.ts. */

export interface RelaySocketEvents {
  onOpen: () => void;
  onData: (data: string | Uint8Array) => void;
  /** Once; not after close(). */
  onClose: (reason: string) => void;
}

export interface RelaySocket {
  send(data: string | Uint8Array): void;
  close(): void;
}

/** @param url of a relay, in its normal form */
export type OpenRelaySocket = (url: string, events: RelaySocketEvents) => RelaySocket;

/** Section 1.1 of the WebSocket binding of MQTT 3.1.1 (chapter 6). */
const MQTT_SUBPROTOCOL = "mqtt";

type Listener = (event: { data?: unknown; reason?: string; code?: number }) => void;
/** What of a WebSocket is used: the page's and undici's have it alike. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  addEventListener(type: "open" | "message" | "close" | "error", listener: Listener): void;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** RFC 6455 has no name for it: the browser's. */
const OPEN = 1;

/** @param create makes the WebSocket; it may throw */
export function openWebSocket(
  url: string,
  { onOpen, onData, onClose }: RelaySocketEvents,
  create: (url: string, protocols: string[]) => WebSocketLike,
): RelaySocket {
  const plain = new URL(url);
  const isMqtt = plain.pathname.endsWith("/mqtt");
  // MQTT says them itself, and browsers refuse them in a URL.
  plain.username = plain.password = "";
  const socket = create(plain.href, isMqtt ? [MQTT_SUBPROTOCOL] : []);
  socket.binaryType = "arraybuffer";
  let isOver = false;
  const over = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    onClose(reason);
  };
  socket.addEventListener("open", () => {
    if (!isOver) onOpen();
  });
  socket.addEventListener("message", ({ data }) => {
    if (isOver) return;
    if (typeof data === "string") onData(data);
    else if (data instanceof ArrayBuffer) onData(new Uint8Array(data));
  });
  socket.addEventListener("error", () => over("it cannot be reached"));
  socket.addEventListener("close", ({ code, reason }) =>
    over(`it closed the connection (${code ?? 0} ${reason ?? ""})`),
  );
  return {
    send: (data) => {
      if (socket.readyState === OPEN) socket.send(data as string | Uint8Array<ArrayBuffer>);
    },
    close: () => {
      isOver = true;
      socket.close();
    },
  };
}

declare const WebSocket: new (url: string, protocols: string[]) => WebSocketLike;

export const openPageSocket: OpenRelaySocket = (url, events) =>
  openWebSocket(url, events, (href, protocols) => new WebSocket(href, protocols));
