/** What answers at an address over UDP and TCP, asked until it answers. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";

const { address, port } = JSON.parse(process.argv[2] ?? "{}") as { address: string; port: number };

function askUdp(): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const timer = setInterval(() => socket.send("?", port, address), 100);
    socket.on("message", (answer) => {
      clearInterval(timer);
      socket.close();
      resolve(answer.toString());
    });
  });
}

function askTcp(): Promise<string> {
  return new Promise((resolve) => {
    const again = (): void => void setTimeout(() => void askTcp().then(resolve), 100);
    let text = "";
    const socket = connect(port, address);
    socket.on("error", again);
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("end", () => resolve(text));
  });
}

const [udp, tcp] = await Promise.all([askUdp(), askTcp()]);
console.log(JSON.stringify({ udp, tcp }));
process.exit();
