/** The way between host and players. */
import type { Server as HttpServer } from "node:http";
import type { Transport } from "@colyseus/core";
import { SallyportTransport } from "sallyport/colyseus";
import { usableInterfaces } from "../../../../sdk/src/connectivity/interfaces.ts";
import type { Reachability } from "../../../../sdk/src/connectivity/reachability.ts";
import { assess } from "../../../../sdk/src/connectivity/verdict.ts";

export interface GameTransport {
  transport: Transport;
  http: HttpServer;
  /** Answers as soon as something usable is known. */
  reachability(): Promise<Reachability>;
  onChange(listener: (reachability: Reachability) => void): void;
  /** Resolves when sockets are closed and ports unmapped. */
  close(): Promise<void>;
}

/** TODO: reachability from the transport's ConnectivityManager. */
export function createTransport({ port }: { port: number; description: string }): GameTransport {
  const transport = new SallyportTransport({ port });
  return {
    transport,
    http: transport.server as HttpServer,
    async reachability() {
      return assess({
        localPort: port,
        interfaces: usableInterfaces(),
        mappings: [],
        reflexive: [],
        gateways: [],
        steps: [],
      });
    },
    onChange() {},
    close: () => transport[Symbol.asyncDispose](),
  };
}
