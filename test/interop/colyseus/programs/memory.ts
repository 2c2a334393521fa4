// A game that tells what it holds: `memory.ts OPTIONS [BLOB_KIB]` says where it listens. GET /memory answers with the bytes in use after a
// forced collection, POST /seats?count=N with so many seats in its one room, whose first state has BLOB_KIB.
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createEndpoint, createRouter, defineRoom, defineServer, logger, matchMaker } from "@colyseus/core";
import { Encoder } from "@colyseus/schema";
import { SallyportTransport, type SallyportTransportOptions } from "../../../../sdk/src/doors/colyseus.ts";
import { ArenaRoom } from "../rooms.ts";

logger.error = logger.info = console.warn = () => {};
setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

const [options = "{}", blob = "0"] = process.argv.slice(2);
Encoder.BUFFER_SIZE = 16 * 2 ** 20;
const transport = new SallyportTransport({
  connectivity: false,
  lan: false,
  ...(JSON.parse(options) as SallyportTransportOptions),
});
let roomId = "";
const server = defineServer({
  greet: false,
  transport,
  rooms: { arena: defineRoom(ArenaRoom) },
  routes: createRouter({
    memory: createEndpoint("/memory", { method: "GET" }, async () => {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
      collect();
      const { heapUsed, external, rss } = process.memoryUsage();
      return { used: heapUsed + external, rss, sessions: transport.connections().length };
    }),
    seats: createEndpoint("/seats/:count", { method: "POST" }, async ({ params }) => {
      return await Promise.all(Array.from({ length: Number(params.count) }, () => matchMaker.joinById(roomId, {})));
    }),
  }),
});
await server.listen(0, "127.0.0.1");
({ roomId } = await matchMaker.createRoom("arena", { blob: Number(blob) }));
console.log(`room ${roomId}`);
console.log(`listening ${(transport.server.address() as AddressInfo).port}`);
