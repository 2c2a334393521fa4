// Sends hostile datagrams to the ports of a game, from many addresses, and counts what comes back. Now and then it plays itself for a
// moment, so that what it sends is bent from what the server understands.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { HostileDatagrams } from "./hostile-datagrams.ts";
import { walkIn } from "./walk.ts";

export interface FloodArgs {
  /** Of the game. */
  url: string;
  address: string;
  ports: readonly number[];
  count: number;
  perSecond: number;
  /** Addresses of this machine. */
  from: readonly string[];
  seed: number;
}

export interface FloodReport extends Record<string, unknown> {
  event: "flooded";
  sent: number;
  bytes: number;
  seconds: number;
  /** Of the replies. */
  replyBytes: number;
}

/** A token is good for 30 s. */
const SAMPLE_EVERY_MS = 15_000;
const SAMPLES = 64;
const TICK_MS = 5;

const { url, address, ports, count, perSecond, from, seed } = JSON.parse(process.argv[2] ?? "{}") as FloodArgs;
console.warn = (): void => {};
const random = seededRandom(seed);
const hostile = new HostileDatagrams(random);
let replyBytes = 0;
const sockets = await Promise.all(
  from.map(async (source) => {
    const socket = createSocket("udp4");
    socket.bind(0, source);
    await once(socket, "listening");
    socket.on("message", (data) => (replyBytes += data.length));
    socket.on("error", () => {});
    return socket;
  }),
);

/** Datagrams of a real player, the first of which is its request; it leaves again. */
async function sample(): Promise<void> {
  const samples: Uint8Array[] = [];
  const recorded: typeof connectSession = (token, options) => {
    const socket = UDPSocket.open();
    const send = socket.send.bind(socket);
    socket.send = (data, port, to) => {
      if (samples.length < SAMPLES) samples.push(Uint8Array.from(data));
      return send(data, port, to);
    };
    return connectSession(token, { ...options, socket });
  };
  const room = await new SallyportClient(url, { connectSession: recorded }).joinOrCreate("arena", { name: "Sample" });
  room.reconnection.enabled = false;
  const walk = walkIn(room);
  for (let n = 0; n < 20; n++) {
    walk();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await room.leave();
  hostile.samples = samples;
}

await sample();
const sampling = setInterval(() => void sample().catch(() => undefined), SAMPLE_EVERY_MS);
const begun = performance.now();
let sent = 0;
let bytes = 0;
while (sent < count) {
  const due = Math.min(count, ((performance.now() - begun) / 1000) * perSecond);
  while (sent < due) {
    const data = hostile.next();
    const port = ports[Math.floor(random() * ports.length)] ?? 0;
    // What does not fit the path is the kernel's to refuse.
    sockets[Math.floor(random() * sockets.length)]?.send(data, port, address, () => undefined);
    sent++;
    bytes += data.length;
  }
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
clearInterval(sampling);
// What is still on its way.
await new Promise((resolve) => setTimeout(resolve, 500));
const seconds = (performance.now() - begun) / 1000;
console.log(JSON.stringify({ event: "flooded", sent, bytes, seconds, replyBytes } satisfies FloodReport));
process.exit(0);
