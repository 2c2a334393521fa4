// A server that lets browsers in; says where it is, or, where it is given a lobby, its invite's link. It ends on SIGUSR2: `graceful` by
// its shutdown alone, `exit` at once, with 3.
import type { AddressInfo } from "node:net";
import { logger, Server } from "@colyseus/core";
import { SallyportTransport } from "../../../../sdk/src/colyseus/server/transport.ts";
import { ArenaRoom } from "../rooms.ts";

logger.error = console.warn = () => {};
const [way, lobby] = process.argv.slice(2);
const transport = new SallyportTransport({
  webrtc: true,
  ...(lobby === undefined ? { connectivity: false } : { lobby }),
});
const server = new Server({ transport, greet: false, gracefullyShutdown: false });
server.define("arena", ArenaRoom);
await server.listen(0, lobby === undefined ? "127.0.0.1" : undefined);
if (lobby === undefined) console.log(`http://127.0.0.1:${(transport.server.address() as AddressInfo).port}`);
transport.registration?.on("registered", ({ url }) => console.log(url));
process.once("SIGUSR2", () => {
  if (way === "exit") process.exit(3);
  // Nothing is left then that keeps the process alive.
  void server.gracefullyShutdown(false);
});
