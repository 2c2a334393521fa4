// A game whose room takes its time to save, and whose server has something to do before: `saving.ts [BEFORE_MS]`.
import { setTimeout as sleep } from "node:timers/promises";
import { defineRoom, defineServer, matchMaker, Room } from "@colyseus/core";
import { SallyportTransport } from "../../../../sdk/src/colyseus/server/transport.ts";

/** Longer than echoes of a signal come. */
const SAVE_MS = 1300;

class HallRoom extends Room {
  override autoDispose = false;

  override async onDispose(): Promise<void> {
    console.log("saving");
    await sleep(SAVE_MS);
    console.log("saved");
  }
}

const server = defineServer({
  greet: false,
  transport: new SallyportTransport({ connectivity: { via: [], stunServers: [] }, lan: false }),
  rooms: { hall: defineRoom(HallRoom) },
});
server.onBeforeShutdown(async () => {
  console.log("shutting down");
  await sleep(Number(process.argv[2] ?? 0));
});
await server.listen(0, "127.0.0.1");
await matchMaker.createRoom("hall", {});
console.log("listening");
