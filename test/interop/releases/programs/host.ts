// A game on the release of Sallyport that stands beside this file: a room that repeats what is said to it.
import { Room, Server } from "@colyseus/core";
import { SallyportTransport } from "sallyport/colyseus";

class EchoRoom extends Room {
  override onCreate(): void {
    this.onMessage("echo", (client, text: string) => client.send("echo", text));
  }
}

const { lobby } = JSON.parse(process.argv[2] ?? "{}") as { lobby?: string };
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const transport = new SallyportTransport(lobby === undefined ? { connectivity: false } : { lobby });
const server = new Server({ transport, greet: false });
server.define("echo", EchoRoom);
await server.listen(0, "127.0.0.1");
const { port } = transport.server.address() as { port: number };
say({ event: "listening", url: `http://127.0.0.1:${port}` });
transport.registration?.on("registered", ({ url }) => say({ event: "invite", url }));
transport.registration?.on("failed", ({ message }) => say({ event: "failed", message }));
