import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { type Session, type SessionMode } from "../../../sdk/src/session/types.ts";
import { type Contender, LOOPBACK, type Make, RECEIVE_BUFFER_BYTES } from "./contender.ts";

/** Sessions: encrypted, acknowledged, aggregated. */
function sessions(mode: SessionMode): Make {
  return async ({ peers, messages, bytes }, arrived): Promise<Contender> => {
    await netcodeReady();
    const socket = UDPSocket.open({ address: LOOPBACK, receiveBufferSize: RECEIVE_BUFFER_BYTES });
    const server = new UDPSessionServer(socket);
    const accepted: Session[] = [];
    server.onSession = (session) => {
      session.onMessage = arrived;
      accepted.push(session);
    };
    const clients: Session[] = [];
    for (let n = 0; n < peers; n++) {
      const token = server.createToken({
        clientId: BigInt(n),
        addresses: [{ address: LOOPBACK, port: socket.localPort }],
        userData: new Uint8Array(0),
      });
      const client = await connectSession(token);
      client.onMessage = arrived;
      clients.push(client);
    }
    const data = Buffer.alloc(bytes, 7);
    return {
      tick() {
        for (let n = 0; n < peers; n++) {
          for (let message = 0; message < messages; message++) accepted[n]?.send(data, mode);
          for (let message = 0; message < messages; message++) clients[n]?.send(data, mode);
        }
      },
      datagrams: () => [...accepted, ...clients].reduce((sum, { stats }) => sum + stats.packetsOut, 0),
      async close() {
        for (const client of clients) client.close();
        await server.close();
        await socket.close();
      },
    };
  };
}

export const unreliable: Make = sessions("unreliable");
export const reliable: Make = sessions("reliable");
