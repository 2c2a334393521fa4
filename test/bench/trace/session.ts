/** One session's two ends in one process, without sockets: what a message costs on its way through both. */

import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { generateConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { PacketSession } from "../../../sdk/src/session/packet-session.ts";
import { SessionPump } from "../../../sdk/src/session/pump.ts";
import type { Session } from "../../../sdk/src/session/types.ts";

const SERVER = { address: "192.0.2.1", port: 7777 };
const CLIENT = { address: "192.0.2.2", port: 5000 };
const UNIX_SECONDS = 1_800_000_000;

/** @returns sends a message each way, and delivers all that follows from it */
export async function openPair(): Promise<(message: Uint8Array) => void> {
  await netcodeReady();
  // A clock of its own, so that each message is a millisecond later and acknowledgements have their time.
  let now = 1000;
  const pump = new SessionPump(() => now);
  const flying: { toServer: boolean; data: Buffer }[] = [];
  const options = {
    clientId: 1n,
    userData: new Uint8Array(0),
    handshakeMs: 20,
    limits: {},
    conditions: null,
  };
  let serverEnd: PacketSession | undefined;
  let clientEnd: PacketSession | undefined;
  const privateKey = new Uint8Array(32).fill(9);
  const server = new NetcodeServer(
    { protocolId: 1n, privateKey, address: SERVER, maxClients: 4 },
    {
      send: (data) => void flying.push({ toServer: false, data: Buffer.from(data) }),
      clientConnected: (client) => {
        const link = {
          remote: CLIENT,
          heardAt: 0,
          send: (payload: Uint8Array, at: number) => server.send(client, payload, at),
          disconnect: () => undefined,
        };
        serverEnd = new PacketSession(link, pump, options);
      },
      clientDisconnected: () => undefined,
      payload: (_client, data) => serverEnd?.receive(data, now),
    },
  );
  const client = new NetcodeClient({
    send: (data) => void flying.push({ toServer: true, data: Buffer.from(data) }),
    stateChanged: () => undefined,
    payload: (data) => clientEnd?.receive(data, now),
  });
  server.start(now, UNIX_SECONDS - 100);
  const token = generateConnectToken({
    protocolId: 1n,
    privateKey,
    clientId: 1n,
    publicAddresses: [SERVER],
    privateAddresses: [SERVER],
    expireSeconds: 30,
    timeoutSeconds: -1,
    userData: new Uint8Array(0),
    unixSeconds: UNIX_SECONDS,
  });
  const deliver = (): void => {
    for (let next = flying.shift(); next; next = flying.shift()) {
      if (next.toServer) server.receive(next.data, CLIENT.address, CLIENT.port, now, UNIX_SECONDS);
      else client.receive(next.data, SERVER.address, SERVER.port, now);
    }
  };
  client.connect(token, now);
  for (let step = 0; step < 10; step++) {
    now += 100;
    client.update(now);
    deliver();
  }
  if (serverEnd === undefined) throw new Error("no session");
  const link = {
    remote: SERVER,
    heardAt: 0,
    send: (payload: Uint8Array, at: number) => client.send(payload, at),
    disconnect: () => undefined,
  };
  clientEnd = new PacketSession(link, pump, options);
  const ends: readonly PacketSession[] = [clientEnd, serverEnd];
  let received = 0;
  for (const end of ends) end.onMessage = (() => received++) satisfies Session["onMessage"];
  return (message) => {
    now += 1;
    const before = received;
    for (const end of ends) {
      end.send(message, "unreliable");
      end.flush();
    }
    deliver();
    if (received !== before + 2) throw new Error("a message is lost");
  };
}
