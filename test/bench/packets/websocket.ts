import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { type Contender, LOOPBACK, type Make } from "./contender.ts";

/** `ws` without compression and without TLS. */
export const websocket: Make = async ({ peers, messages, bytes }, arrived): Promise<Contender> => {
  const server = new WebSocketServer({ host: LOOPBACK, port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.on("connection", (socket) => socket.on("message", arrived));
  const clients: WebSocket[] = [];
  for (let n = 0; n < peers; n++) {
    const client = new WebSocket(`ws://${LOOPBACK}:${port}`, { perMessageDeflate: false });
    await once(client, "open");
    client.on("message", arrived);
    clients.push(client);
  }
  const accepted = [...server.clients];
  const data = Buffer.alloc(bytes, 7);
  return {
    tick() {
      for (let n = 0; n < peers; n++) {
        for (let message = 0; message < messages; message++) accepted[n]?.send(data);
        for (let message = 0; message < messages; message++) clients[n]?.send(data);
      }
    },
    close() {
      for (const client of clients) client.terminate();
      server.close();
    },
  };
};
