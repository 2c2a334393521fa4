// Sends datagrams to an echo at an even pace, and says how many came back and how long each took.
import { createSocket } from "node:dgram";

export interface AskArguments {
  address: string;
  port: number;
  bytes: number;
  count: number;
  everyMs: number;
}

export interface Asked {
  sent: number;
  received: number;
  p50: number;
  p99: number;
}

const { address, port, bytes, count, everyMs } = JSON.parse(process.argv[2] ?? "{}") as AskArguments;
const socket = createSocket({ type: "udp4", recvBufferSize: 4_000_000 });
const sentAt = new Float64Array(count);
const took: number[] = [];
const seen = new Set<number>();
socket.on("message", (data) => {
  const n = data.readUInt32LE(0);
  if (n >= count || seen.has(n)) return;
  seen.add(n);
  took.push(performance.now() - (sentAt[n] ?? 0));
});
const data = Buffer.alloc(bytes);
const began = performance.now();
for (let n = 0; n < count; n++) {
  const wait = began + n * everyMs - performance.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  data.writeUInt32LE(n, 0);
  sentAt[n] = performance.now();
  socket.send(Buffer.from(data), port, address);
}
await new Promise((resolve) => setTimeout(resolve, 1500));
socket.close();
took.sort((a, b) => a - b);
const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN;
const asked: Asked = { sent: count, received: took.length, p50: at(0.5), p99: at(0.99) };
console.log(JSON.stringify(asked));
