import dgram from "node:dgram";
import { once } from "node:events";
import { type Contender, LOOPBACK, type Make, RECEIVE_BUFFER_BYTES } from "./contender.ts";

/** node:dgram as it comes: udp4, a socket for each peer and one for the server. */
export const raw: Make = async ({ peers, messages, bytes }, arrived): Promise<Contender> => {
  const open = async (): Promise<dgram.Socket> => {
    const socket = dgram.createSocket({ type: "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });
    socket.bind(0, LOOPBACK);
    await once(socket, "listening");
    socket.on("message", arrived);
    return socket;
  };
  const server = await open();
  const { port } = server.address();
  const clients: dgram.Socket[] = [];
  for (let n = 0; n < peers; n++) clients.push(await open());
  const ports = clients.map((client) => client.address().port);
  const data = Buffer.alloc(bytes, 7);
  let sent = 0;
  return {
    tick() {
      for (let n = 0; n < peers; n++) {
        for (let message = 0; message < messages; message++) server.send(data, ports[n], LOOPBACK);
        for (let message = 0; message < messages; message++) clients[n]?.send(data, port, LOOPBACK);
      }
      sent += 2 * peers * messages;
    },
    datagrams: () => sent,
    close() {
      for (const socket of [server, ...clients]) socket.close();
    },
  };
};
