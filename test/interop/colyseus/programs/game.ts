// One game on either transport: `game.ts TRANSPORT PORT [dev] [stubborn]`. Nothing below the choice of the transport knows of it.
import { createServer } from "node:http";
import { createEndpoint, createRouter, defineRoom, defineServer, matchMaker } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { SallyportTransport } from "../../../../sdk/src/colyseus/server/transport.ts";
import { ArenaRoom, TableRoom } from "../rooms.ts";

const [kind, port = "0", ...flags] = process.argv.slice(2);
const http = createServer();
const transport =
  kind === "ws"
    ? new WebSocketTransport({ server: http })
    : new SallyportTransport({
        server: http,
        connectivity: process.env["SALLYPORT_VIA"] === "none" ? false : {},
        drainTimeoutMs: 1000,
      });

class StubbornRoom extends ArenaRoom {
  override onBeforeShutdown(): void {
    // Never ends, and tells nobody.
  }
}

const server = defineServer({
  greet: false,
  transport,
  devMode: flags.includes("dev"),
  rooms: { arena: defineRoom(flags.includes("stubborn") ? StubbornRoom : ArenaRoom), table: defineRoom(TableRoom) },
  routes: createRouter({
    hello: createEndpoint("/hello", { method: "GET" }, async () => ({ process: matchMaker.processId })),
  }),
});
await server.listen(Number(port), "127.0.0.1");
const { port: bound } = http.address() as { port: number };
console.log(`listening ${bound}`);
