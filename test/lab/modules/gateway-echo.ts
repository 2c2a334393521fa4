/** Answers every datagram and every connection on `port` with `text`, over IPv4 and IPv6. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const { port, text = "echo" } = JSON.parse(process.argv[2] ?? "{}") as { port: number; text?: string };
const socket = createSocket("udp6");
socket.on("message", (_, from) => socket.send(text, from.port, from.address));
socket.bind(port, "::");
createServer((connection) => {
  connection.on("error", () => undefined);
  connection.end(text);
}).listen(port, "::");
