/** What answers at an address over UDP and TCP, asked until it answers; `null` when nothing did in time. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";

interface Args {
  address: string;
  port: number;
  timeoutMs?: number;
}
const { address, port, timeoutMs = 10_000 } = JSON.parse(process.argv[2] ?? "{}") as Args;

function askUdp(): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
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
    let text = "";
    const socket = connect(port, address);
    socket.on("error", () => setTimeout(() => void askTcp().then(resolve), 100));
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("end", () => resolve(text));
  });
}

const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), timeoutMs));
const [udp, tcp] = await Promise.all([askUdp(), askTcp()].map((asked) => Promise.race([asked, late])));
console.log(JSON.stringify({ udp, tcp }));
process.exit();
