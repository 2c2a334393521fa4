import type { AddressInfo } from "node:net";
import { Server } from "@colyseus/core";
import { SallyportClient, type SallyportClientOptions } from "../../../sdk/src/client/index.ts";
import { SallyportTransport, type SallyportTransportOptions } from "../../../sdk/src/colyseus/transport.ts";
import { FakeSessionHost, fakeConnectSession } from "../../unit/colyseus/fake-sessions.ts";
import { ArenaRoom } from "./rooms.ts";

export interface TestServer extends AsyncDisposable {
  url: string;
  port: number;
  server: Server;
  transport: SallyportTransport;
  host: FakeSessionHost;
  client(options?: SallyportClientOptions): SallyportClient;
}

/** One for each process: Colyseus' matchmaker is a singleton. */
export async function startServer(options: SallyportTransportOptions = {}): Promise<TestServer> {
  const host = new FakeSessionHost();
  const transport = new SallyportTransport(options, host);
  const server = new Server({ transport, greet: false, gracefullyShutdown: false });
  server.define("arena", ArenaRoom);
  await server.listen(0, "127.0.0.1");
  const { port } = transport.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    server,
    transport,
    host,
    client: (clientOptions) => new SallyportClient(url, { connectSession: fakeConnectSession, ...clientOptions }),
    [Symbol.asyncDispose]: () => server.gracefullyShutdown(false),
  };
}

/** Resolves as soon as `condition` holds; looks again on every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
