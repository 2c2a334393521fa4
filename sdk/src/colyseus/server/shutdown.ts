import { CloseCode, debugAndPrintError, isDevMode, matchMaker, Server, type Transport } from "@colyseus/core";
import { sleep } from "../../net/wait.ts";
import { limitGracefulShutdown } from "./replaced/graceful-shutdown.ts";

/** How long Colyseus' graceful shutdown waits for ports to be unmapped. */
const CLOSE_TIMEOUT_MS = 5000;
const DEFAULT_DRAIN_TIMEOUT_MS = 30_000;
/** How long rooms that did not end in time may take to save their players, ms. */
const ABANDON_MS = 500;

export interface ShutdownOptions {
  /** When players are told and the process ends without its rooms, ms; 0 waits for ever. Default 30 000. */
  drainTimeoutMs?: number | undefined;
  /** Whether SIGHUP, which a closed terminal sends, begins a shutdown. Default true. */
  signals?: boolean | undefined;
  /** Closes all connections of players. */
  closePlayers: (code: number) => void;
}

/**
 * Bounds the shutdown of the Colyseus server that owns `transport`, and has SIGHUP begin it as SIGINT and SIGTERM do. Does nothing
 * for a transport without a server.
 * @returns undoes it
 */
export function superviseShutdown(transport: Transport & AsyncDisposable, options: ShutdownOptions): () => void {
  const { drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS, signals = true, closePlayers } = options;
  const server = Server.current;
  if (server?.transport !== transport) return () => {};
  const undo = limitGracefulShutdown(server, {
    timeoutMs: drainTimeoutMs,
    async abandon(exit, error) {
      debugAndPrintError(new Error(`Rooms have not ended within ${drainTimeoutMs} ms of the shutdown: they are left.`));
      await abandonRooms(closePlayers);
      await transport[Symbol.asyncDispose]();
      if (exit) process.exit(error && !isDevMode ? 1 : 0);
    },
  });
  // As Colyseus registers for SIGINT and SIGTERM, unless the program said that it does so itself.
  const ignoreHangUp = signals && server.options.gracefullyShutdown !== false ? shutDownOnHangUp(server) : undefined;
  return () => {
    ignoreHangUp?.();
    undo();
  };
}

async function abandonRooms(closePlayers: (code: number) => void): Promise<void> {
  const code = isDevMode ? CloseCode.MAY_TRY_RECONNECT : CloseCode.SERVER_SHUTDOWN;
  // Players leave after their rooms have saved them, if the rooms do so in time.
  const leaving = Promise.allSettled(matchMaker.disconnectAll(code));
  await Promise.race([leaving, sleep(ABANDON_MS)]);
  closePlayers(code);
}

function shutDownOnHangUp(server: Server): () => void {
  let hungUp = false;
  const onHangUp = (): void => {
    hungUp = true;
    void server.gracefullyShutdown();
  };
  process.on("SIGHUP", onHangUp);
  return () => {
    // The signal may be repeated, and must not kill the shutdown that it began.
    if (!hungUp) process.off("SIGHUP", onHangUp);
  };
}

/** What a transport closes, in this order. */
export interface ClosingParts {
  webSocket: { shutdown(): void };
  listings: { close(): Promise<void> };
  /** Where players' sessions are. */
  endpoints: readonly { close(): Promise<void> }[];
  /** The socket and the mapped ports. */
  host: { close(): Promise<void> };
}

/** Resolves when all is closed, or after five seconds; never rejects. */
export async function closeInOrder({ webSocket, listings, endpoints, host }: ClosingParts): Promise<void> {
  webSocket.shutdown();
  // Off the lobby's list at once, so that nobody is sent to a closed door.
  const unlisted = listings.close();
  const closed = (async () => {
    await Promise.all(endpoints.map((endpoint) => endpoint.close()));
    await host.close();
    await unlisted;
  })();
  await Promise.race([closed.catch(debugAndPrintError), sleep(CLOSE_TIMEOUT_MS)]);
}
