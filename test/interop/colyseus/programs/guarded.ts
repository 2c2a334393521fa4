// A server behind SallyportTransport, or behind Colyseus' own transport with our guard; says `listening PORT`. With `loud` it also
// prints what it logs.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type AuthContext, logger, Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { guardRequests } from "../../../../sdk/src/colyseus/server/entrances/request-guard.ts";
import { limitLog } from "../../../../sdk/src/colyseus/server/observability/limit-log.ts";
import { SallyportTransport } from "../../../../sdk/src/colyseus/server/transport.ts";

class OpenRoom extends Room {
  static override async onAuth(_token: string, _options: unknown, { ip }: AuthContext): Promise<boolean> {
    console.log(`onAuth ${ip}`);
    return true;
  }
}

const [kind = "sallyport", ...words] = process.argv.slice(2);
if (!words.includes("loud")) logger.error = () => {};
const http = createServer();
const options = { trustProxy: words.includes("trust-proxy") };
if (kind === "guarded") guardRequests(http, options);
const transport =
  kind === "sallyport"
    ? new SallyportTransport({ server: http, connectivity: false, ...options })
    : new WebSocketTransport({ server: http });
if (kind === "guarded") limitLog();
const server = new Server({ transport, greet: false, gracefullyShutdown: false });
server.define("open", OpenRoom);
await server.listen(0, "127.0.0.1");
console.log(`listening ${(http.address() as AddressInfo).port}`);
