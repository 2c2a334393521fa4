// A reverse proxy that tells nobody's address: each connection goes on to a port of this machine.
import { connect, createServer } from "node:net";

export interface ProxyArgs {
  port: number;
  to: number;
}

const { port, to } = JSON.parse(process.argv[2] ?? "{}") as ProxyArgs;
createServer((client) => {
  const server = connect(to, "127.0.0.1");
  for (const socket of [client, server]) socket.on("error", () => [client, server].map((each) => each.destroy()));
  client.pipe(server).pipe(client);
}).listen(port, () => console.log("ready"));
