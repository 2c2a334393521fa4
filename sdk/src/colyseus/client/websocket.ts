import { WebSocketTransport } from "@colyseus/sdk/transport/WebSocketTransport";
import { traceOf } from "../../net/trace.ts";
import { MovingSession } from "../websocket/moving-session.ts";
import { WebSocketSession } from "../websocket/session.ts";

const trace = traceOf("colyseus");

/**
 * Colyseus' WebSocket, in programs and pages, as a session that may move.
 * @throws where a secure page may not even try (mixed content)
 */
export function openWebSocket(
  url: string,
  headers: Record<string, string>,
  { onOpen, onError }: { onOpen: () => void; onError: (problem: string) => void },
): MovingSession {
  const transport = new WebSocketTransport({
    onopen: () => onOpen(),
    onmessage: ({ data }: { data: string | ArrayBuffer }) =>
      webSocket.receive(typeof data === "string" ? data : new Uint8Array(data)),
    onclose: ({ code, reason }: { code: number; reason: string }) => {
      if (trace.on) trace.event("websocket-closed", { code, reason });
      webSocket.ended(code, reason);
    },
    onerror: ({ message }: { message?: string }) => onError(message ?? ""),
  });
  const { hostname, port } = new URL(url);
  const webSocket = new WebSocketSession(
    {
      get isOpen() {
        return transport.isOpen;
      },
      // Text too: Colyseus' type knows binary frames alone.
      send: (data) => transport.send(data as Uint8Array),
      close: (code, reason) => transport.close(code, reason),
    },
    { address: hostname, port: Number(port) },
  );
  const session = new MovingSession(webSocket, (work, ms) => void setTimeout(work, ms));
  transport.connect(url, headers);
  return session;
}
