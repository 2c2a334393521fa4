// Sends datagrams. Prints the first reply, or null when none came in time; with `count` it sends many and waits for none.
import { createSocket } from "node:dgram";

interface Args {
  address: string;
  port: number;
  text: string;
  localPort?: number;
  timeoutMs?: number;
  count?: number;
}
const args = JSON.parse(process.argv[2] ?? "{}") as Args;
const { address, port, text, localPort = 0, timeoutMs = 2_000, count } = args;
const socket = createSocket(address.includes(":") ? "udp6" : "udp4");

function finish(reply: string | null): void {
  console.log(JSON.stringify(reply));
  socket.close();
}

socket.bind(localPort, () => {
  if (count !== undefined) {
    sendMany(count);
    return;
  }
  const timer = setTimeout(() => finish(null), timeoutMs);
  socket.once("message", (data) => {
    clearTimeout(timer);
    finish(data.toString());
  });
  socket.send(text, port, address);
});

/** One after the other is sent when the kernel has taken the one before. */
function sendMany(left: number): void {
  if (left === 0) finish(null);
  else socket.send(text, port, address, () => sendMany(left - 1));
}
