/** A game that listens to no signal, and has told Colyseus not to. */
import { defineRoom, defineServer, Room } from "@colyseus/core";
import { SallyportTransport } from "sallyport/colyseus";

class HallRoom extends Room {}

const transport = new SallyportTransport();
transport.connectivity?.on("change", ({ summary }) => console.log(summary));
const server = defineServer({
  greet: false,
  gracefullyShutdown: false,
  transport,
  rooms: { hall: defineRoom(HallRoom) },
});
await server.listen(9101);
