// A game server with encrypted sessions: sends each player its state 60 times a second, echoes what is sent reliably.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { LOOPBACK, RECEIVE_BUFFER_BYTES } from "./contender.ts";
import { serve, Ticker } from "./part.ts";

export interface HostReport {
  seconds: number;
  cpuMicros: number;
  ticks: number;
  late: number;
  received: number;
  datagramsIn: number;
  heapUsed: number;
  rss: number;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const socket = UDPSocket.open({ address: LOOPBACK, receiveBufferSize: 4 * RECEIVE_BUFFER_BYTES });
const server = await UDPSessionServer.open(socket, { maxClients: 1024 });
let received = 0;
let clientId = 0n;
let ticker: Ticker | undefined;
let before = { cpu: process.cpuUsage(), at: 0, ticks: 0, late: 0, received: 0, datagramsIn: 0 };

server.onSession = (session) => {
  session.onMessage = (data, mode) => {
    received++;
    if (mode === "reliable") session.send(data, "reliable");
  };
};

serve({
  port: () => socket.localPort,
  tokens: (count: number) =>
    Array.from({ length: count }, () => {
      const addresses = [{ address: LOOPBACK, port: socket.localPort }];
      const token = server.createToken({ clientId: ++clientId, addresses, userData: new Uint8Array(0) });
      return Buffer.from(token).toString("base64");
    }),
  start: ({ hz, bytes }: { hz: number; bytes: number }) => {
    const data = new Uint8Array(bytes).fill(7);
    ticker?.stop();
    ticker = new Ticker(hz, () => {
      for (const session of server.sessions) session.send(data, "unreliable");
    });
  },
  begin: () => {
    collect();
    before = {
      cpu: process.cpuUsage(),
      at: performance.now(),
      ticks: ticker?.ticks ?? 0,
      late: ticker?.late ?? 0,
      received,
      datagramsIn: socket.counters.datagramsIn,
    };
  },
  end: (): HostReport => {
    const { user, system } = process.cpuUsage(before.cpu);
    const seconds = (performance.now() - before.at) / 1000;
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    return {
      seconds,
      cpuMicros: user + system,
      ticks: (ticker?.ticks ?? 0) - before.ticks,
      late: (ticker?.late ?? 0) - before.late,
      received: received - before.received,
      datagramsIn: socket.counters.datagramsIn - before.datagramsIn,
      heapUsed,
      rss,
    };
  },
});
