/** The host's way to its players. */
import type { Server as HttpServer } from "node:http";
import type { Transport } from "@colyseus/core";
import type { Reachability } from "sallyport";
import { SallyportTransport } from "sallyport/colyseus";

export interface GameTransport {
  transport: Transport;
  http: HttpServer;
  /** Answers as soon as something usable is known; better things come later. Call it when the server listens. */
  reachability(): Promise<Reachability>;
  onChange(listener: (reachability: Reachability) => void): void;
  /** Resolves when sockets are closed and ports unmapped. */
  close(): Promise<void>;
}

export interface GameTransportOptions {
  /** UDP and TCP. */
  port: number;
  /** What the router shows beside the mapping. */
  description: string;
  /** Instead of SALLYPORT_STUN_URLS; an empty list leaves those. */
  stunServers: readonly string[];
}

export function createTransport({ port, description, stunServers }: GameTransportOptions): GameTransport {
  const transport = new SallyportTransport({
    port,
    description,
    connectivity: stunServers.length > 0 ? { stunServers } : {},
  });
  const { connectivity } = transport;
  if (connectivity === undefined) throw new Error("The transport has no connectivity."); // it was not switched off
  return {
    transport,
    http: transport.server as HttpServer,
    reachability: () => connectivity.open(),
    onChange: (listener) => void connectivity.on("change", listener),
    close: () => transport[Symbol.asyncDispose](),
  };
}
