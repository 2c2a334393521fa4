import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Sees a request, or a WebSocket's wish for one, before anybody else. True: it has answered, nobody else shall see it. */
export type RequestFilter = (request: IncomingMessage, response: ServerResponse | undefined) => boolean;

/**
 * Puts a filter in front of all others who listen, also in front of filters that were put there before. Colyseus answers every
 * request of its server, with 404 if nothing else, and binds its listener in front of all others after `listen()`: only before the
 * event is one surely first.
 * @param filter gets no response for a WebSocket's upgrade: what it answers goes to the socket
 */
export function filterRequests(server: Server, filter: RequestFilter): void {
  const emit = server.emit.bind(server) as (event: string | symbol, ...parameters: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...parameters: unknown[]): boolean => {
    if (event !== "request" && event !== "upgrade") return emit(event, ...parameters);
    const [request, response] = parameters as [IncomingMessage, ServerResponse];
    return filter(request, event === "request" ? response : undefined) || emit(event, ...parameters);
  };
}

/** @returns where it listens. @throws what the system says: `EADDRINUSE`, `EACCES`… */
export function listenTCP(server: Server, port: number, hostname?: string, backlog?: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      server.off("listening", onListening).off("error", onError);
      settle();
    };
    const onListening = (): void => done(() => resolve(server.address() as AddressInfo));
    const onError = (error: Error): void => done(() => reject(error));
    server.once("listening", onListening).once("error", onError);
    server.listen(port, hostname, backlog);
  });
}

/** Stops listening; idle connections are closed, busy ones finish. */
export function closeTCP(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The only error is that it does not listen.
    server.close(() => resolve());
  });
}
