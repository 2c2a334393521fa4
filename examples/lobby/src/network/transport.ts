/** The way between host and players. */
import { createServer, type Server as HttpServer } from "node:http";
import { type Client, getMessageBytes, Protocol, type Transport } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { usableInterfaces } from "../../../../sdk/src/connectivity/interfaces.ts";
import type { Reachability } from "../../../../sdk/src/connectivity/reachability.ts";
import { assess } from "../../../../sdk/src/connectivity/verdict.ts";

export interface GameTransport {
  transport: Transport;
  http: HttpServer;
  /** Answers as soon as something usable is known. */
  reachability(): Promise<Reachability>;
  onChange(listener: (reachability: Reachability) => void): void;
}

/** TODO(sallyport/colyseus): SallyportTransport. Until then WebSocket alone, reachable on the local network. */
export function createTransport({ port }: { port: number; description: string; lobby?: string }): GameTransport {
  const http = createServer();
  return {
    transport: new WebSocketTransport({ server: http }),
    http,
    async reachability() {
      return assess({
        localPort: port,
        interfaces: usableInterfaces(),
        mappings: [],
        reflexive: [],
        gateways: [],
        steps: [],
      });
    },
    onChange() {},
  };
}

/** Colyseus has unreliable fields of the state, and no unreliable message to a client; the channel has room for both. */
export function sendUnreliable(client: Client, type: string, message: unknown): void {
  const bytes = getMessageBytes.raw(Protocol.ROOM_DATA, type, message);
  if (client.rawUnreliable === undefined) client.raw(bytes);
  else client.rawUnreliable(bytes);
}
