// A game for pages, which soon notices who has fallen silent, and keeps the seats of those who come back. Ends with its input.
import { defineRoom, defineServer } from "@colyseus/core";
import { SallyportTransport } from "../../../sdk/src/doors/colyseus.ts";
import { ArenaRoom } from "../../interop/colyseus/rooms.ts";

class PhoneRoom extends ArenaRoom {
  override async onDrop(...[client]: Parameters<ArenaRoom["onDrop"]>): Promise<void> {
    this.allowReconnection(client, 60).catch(() => {});
  }
}

const transport = new SallyportTransport({ connectivity: false, lan: false, webrtc: true, pingInterval: 700 });
const server = defineServer({ greet: false, transport, rooms: { arena: defineRoom(PhoneRoom) } });
await server.listen(2567);
console.log(JSON.stringify({ event: "listening" }));
process.stdin.resume().once("end", () => process.exit());
