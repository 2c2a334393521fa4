// A UDP echo. Prints a JSON line per event; the datagram "end" makes it say how many others came, and end.
import { createSocket } from "node:dgram";

interface Args {
  port: number;
  delayMs?: number;
  family?: 4 | 6;
}
const { port, delayMs = 0, family = 4 } = JSON.parse(process.argv[2] ?? "{}") as Args;
const socket = createSocket({ type: `udp${family}`, recvBufferSize: 4_000_000 });
let count = 0;
socket.on("message", (data, { address, port: remotePort }) => {
  const text = data.toString();
  if (text === "end") {
    console.log(JSON.stringify({ event: "end", count }));
    socket.close();
    return;
  }
  count++;
  if (count === 1) console.log(JSON.stringify({ event: "first", text, from: address }));
  setTimeout(() => socket.send(`${address} said ${text}`, remotePort, address), delayMs);
});
socket.bind(port, () => console.log(JSON.stringify({ event: "listening" })));
