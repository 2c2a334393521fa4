// A lobby on the release of Sallyport that stands beside this file.
import { defineServer } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import * as colyseus from "sallyport/colyseus";
import * as rendezvous from "sallyport/rendezvous";

// The first release had it in the other door.
const { defineRendezvous } = { ...rendezvous, ...colyseus };

const transport = new WebSocketTransport();
const server = defineServer({ transport, greet: false, rooms: { rendezvous: defineRendezvous() } });
await server.listen(0, "127.0.0.1");
const { port } = transport.server?.address() as { port: number };
process.stdout.write(`${JSON.stringify({ event: "listening", url: `http://127.0.0.1:${port}` })}\n`);
