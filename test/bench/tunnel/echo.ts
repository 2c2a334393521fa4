// Gives every datagram back. Argument: port.
import { createSocket } from "node:dgram";

const socket = createSocket({ type: "udp4", recvBufferSize: 4_000_000 });
socket.on("message", (data, { address, port }) => socket.send(data, port, address));
socket.bind(Number(JSON.parse(process.argv[2] ?? "0")), () => console.log("listening"));
