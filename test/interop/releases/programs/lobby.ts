// A lobby on the release of Sallyport that stands beside this file.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { defineServer } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import * as colyseus from "sallyport/colyseus";
import * as rendezvous from "sallyport/rendezvous";

// The first release had it in the other door.
const { defineRendezvous } = { ...rendezvous, ...colyseus };

const http = createServer();
const transport = new WebSocketTransport({ server: http });
const server = defineServer({ transport, greet: false, rooms: { rendezvous: defineRendezvous() } });
await server.listen(0, "127.0.0.1");
const { port } = http.address() as AddressInfo;
process.stdout.write(`${JSON.stringify({ event: "listening", url: `http://127.0.0.1:${port}` })}\n`);
