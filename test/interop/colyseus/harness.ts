import type { AddressInfo } from "node:net";
import { logger, Server } from "@colyseus/core";
import { Encoder } from "@colyseus/schema";
import { SallyportClient, type SallyportClientOptions } from "../../../sdk/src/colyseus/client/client.ts";
import type { SessionHost } from "../../../sdk/src/colyseus/server/hosts/session-host.ts";
import { type SallyportTransport, TransportWithHost } from "../../../sdk/src/colyseus/server/transport.ts";
import { type SallyportTransportOptions } from "../../../sdk/src/colyseus/server/transport-options.ts";
import { Link } from "./link.ts";
import { ArenaRoom, TableRoom } from "./rooms.ts";

export interface TestClientOptions extends SallyportClientOptions {
  link?: Link;
}

export interface TestServer extends AsyncDisposable {
  url: string;
  port: number;
  server: Server;
  transport: SallyportTransport;
  client(options?: TestClientOptions): SallyportClient;
}

/** One for each process: Colyseus' matchmaker is a singleton. */
export async function startServer(options: SallyportTransportOptions = {}, host?: SessionHost): Promise<TestServer> {
  // Refusals and losses are what many of these tests are about; Colyseus tells the console of each.
  logger.error = console.info = console.warn = () => {};
  Encoder.BUFFER_SIZE = 2 ** 21;
  const transport = new TransportWithHost({ connectivity: false, ...options }, host);
  const server = new Server({ transport, greet: false, gracefullyShutdown: false });
  server.define("arena", ArenaRoom);
  server.define("table", TableRoom);
  await server.listen(0, "127.0.0.1");
  const { port } = transport.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const links: Link[] = [];
  return {
    url,
    port,
    server,
    transport,
    client({ link = new Link(), ...clientOptions } = {}) {
      links.push(link);
      return new SallyportClient(url, { connectSession: link.connectSession, ...clientOptions });
    },
    async [Symbol.asyncDispose]() {
      await server.gracefullyShutdown(false);
      for (const link of links) await link[Symbol.asyncDispose]();
    },
  };
}

/** The next call of a Colyseus signal or message handler, as its arguments. */
export function next<Values extends unknown[]>(
  subscribe: (listener: (...values: Values) => void) => unknown,
): Promise<Values> {
  return new Promise((resolve) => {
    subscribe((...values) => resolve(values));
  });
}
