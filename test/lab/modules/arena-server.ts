// The arena on one address, without a router and without a lobby.
import { defineRoom, defineServer } from "@colyseus/core";
import { SallyportTransport } from "sallyport/colyseus";
import { ArenaRoom } from "../../../examples/lobby/src/arena/room.ts";

const { port } = JSON.parse(process.argv[2] ?? "{}") as { port: number };
const transport = new SallyportTransport({ connectivity: false, lan: false });
const server = defineServer({ greet: false, transport, rooms: { arena: defineRoom(ArenaRoom) } });
await server.listen(port);
process.stdout.write("listening\n");
