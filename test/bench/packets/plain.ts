import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { PacketPeerUDP } from "../../../sdk/src/udp/packet-peer-udp.ts";
import { UDPServer } from "../../../sdk/src/udp/udp-server.ts";
import { type Contender, LOOPBACK, type Make, RECEIVE_BUFFER_BYTES } from "./contender.ts";

/** Plain framing: UDPServer and its peers, as a game that needs no encryption uses them. */
export const plain: Make = async ({ peers, messages, bytes }, arrived): Promise<Contender> => {
  const socket = UDPSocket.open({ address: LOOPBACK, receiveBufferSize: RECEIVE_BUFFER_BYTES });
  const server = UDPServer.fromSocket(socket, { maxPendingConnections: peers });
  const accepted: PacketPeerUDP[] = [];
  const all = new Promise<void>((resolve) => {
    server.on("connection", (peer) => {
      peer.on("packet", arrived);
      if (accepted.push(peer) === peers) resolve();
    });
  });
  const data = Buffer.alloc(bytes, 7);
  const clients: PacketPeerUDP[] = [];
  for (let n = 0; n < peers; n++) {
    const client = new PacketPeerUDP();
    client.connectToHost(LOOPBACK, socket.localPort);
    client.on("packet", arrived);
    client.putPacket(data);
    clients.push(client);
  }
  await all;
  let sent = 0;
  return {
    tick() {
      for (let n = 0; n < peers; n++) {
        for (let message = 0; message < messages; message++) accepted[n]?.putPacket(data);
        for (let message = 0; message < messages; message++) clients[n]?.putPacket(data);
      }
      sent += 2 * peers * messages;
    },
    datagrams: () => sent,
    async close() {
      for (const client of clients) client.close();
      server.stop();
      await socket.close();
    },
  };
};

/** The socket below it, alone. */
export const socket: Make = async ({ peers, messages, bytes }, arrived): Promise<Contender> => {
  const open = (): UDPSocket => {
    const one = UDPSocket.open({ address: LOOPBACK, receiveBufferSize: RECEIVE_BUFFER_BYTES });
    one.onDatagram = arrived;
    return one;
  };
  const server = open();
  const clients = Array.from({ length: peers }, open);
  const data = Buffer.alloc(bytes, 7);
  return {
    tick() {
      for (const client of clients) {
        for (let message = 0; message < messages; message++) server.send(data, client.localPort, LOOPBACK);
        for (let message = 0; message < messages; message++) client.send(data, server.localPort, LOOPBACK);
      }
    },
    datagrams: () => server.counters.datagramsOut + clients.reduce((sum, one) => sum + one.counters.datagramsOut, 0),
    async close() {
      await Promise.all([server, ...clients].map((one) => one.close()));
    },
  };
};
