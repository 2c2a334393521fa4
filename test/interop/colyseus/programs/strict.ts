// Strict rooms on every transport, in a process that can be killed: `strict.ts PORT [slow]`.
import type { AddressInfo } from "node:net";
import { logger, Server } from "@colyseus/core";
import { SallyportTransport } from "../../../../sdk/src/colyseus/server/transport.ts";
import { StrictRoom } from "../strict-rooms.ts";

logger.error = console.warn = () => {};
const [port = "0", flag] = process.argv.slice(2);

class SlowRoom extends StrictRoom {
  override async onLeave(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}

const transport = new SallyportTransport({ webrtc: true, connectivity: false });
const server = new Server({ transport, greet: false, gracefullyShutdown: false });
server.define("strict", flag === "slow" ? SlowRoom : StrictRoom);
await server.listen(Number(port), "127.0.0.1");
console.log(`listening ${(transport.server.address() as AddressInfo).port}`);
