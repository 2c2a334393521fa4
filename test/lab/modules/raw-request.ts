// Sends one datagram of hexadecimal bytes and prints the reply as such, or "refused", or null when nothing came.
import { createSocket } from "node:dgram";

const args = JSON.parse(process.argv[2] ?? "{}") as { address: string; port: number; hex: string };
const socket = createSocket("udp4");
const timer = setTimeout(() => finish(null), 2_000);

function finish(reply: string | null): void {
  clearTimeout(timer);
  console.log(JSON.stringify(reply));
  socket.close();
}

socket.once("message", (data) => finish(data.toString("hex")));
socket.once("error", () => finish("refused")); // ICMP port unreachable
socket.connect(args.port, args.address, () => socket.send(Buffer.from(args.hex, "hex")));
