import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { type ConnectSessionOptions, connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer, type UDPSessionServerOptions } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";

const LOOPBACK = "127.0.0.1";

/** A server on loopback, a client, and the session's two ends. */
export interface Pair extends AsyncDisposable {
  client: Session;
  server: Session;
  host: UDPSessionServer;
  port: number;
}

export async function connectPair(
  serverOptions: UDPSessionServerOptions = {},
  clientOptions: ConnectSessionOptions = {},
): Promise<Pair> {
  const socket = UDPSocket.open({ address: LOOPBACK });
  const host = await UDPSessionServer.open(socket, serverOptions);
  const accepted = new Promise<Session>((resolve) => {
    host.onSession = resolve;
  });
  const addresses = [{ address: LOOPBACK, port: socket.localPort }];
  const token = host.createToken({ clientId: 1n, addresses, userData: new Uint8Array(0) });
  const client = await connectSession(token, clientOptions);
  return {
    client,
    server: await accepted,
    host,
    port: socket.localPort,
    async [Symbol.asyncDispose]() {
      client.close();
      await host.close();
      await socket.close();
    },
  };
}
