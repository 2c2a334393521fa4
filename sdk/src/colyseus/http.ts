import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Takes the requests that match away from everybody else who listens. Colyseus answers every request of its server, with 404 if
 * nothing else, and binds its listener in front of all others after `listen()`: only before the event is one surely first.
 */
export function interceptRequests(
  server: Server,
  matches: (request: IncomingMessage) => boolean,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  const emit = server.emit.bind(server) as (event: string | symbol, ...parameters: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...parameters: unknown[]): boolean => {
    const [request, response] = parameters as [IncomingMessage, ServerResponse];
    if (event !== "request" || !matches(request)) return emit(event, ...parameters);
    handle(request, response);
    return true;
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
