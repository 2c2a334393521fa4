import { CloseCode, debugAndPrintError, isDevMode, matchMaker, Server, type Transport } from "@colyseus/core";
import { sleep } from "../../../net/wait.ts";

const LAST_CHANCE_MS = 500;

export interface ShutdownLimits {
  /** From when on players are told and the process ends, ms; 0 waits for ever. */
  drainTimeoutMs: number;
  /** Whether a terminal that is closed is a reason to shut down. */
  signals: boolean;
  sayGoodbye: (code: number) => void;
}

/**
 * Colyseus' graceful shutdown, begun twice, ends the process in the midst of the first; it waits for its rooms as long as they like,
 * and a closed terminal kills it. From now on there is one, it ends after `drainTimeoutMs`, and SIGHUP begins it too.
 * @returns what takes the listener for SIGHUP away
 */
export function limitShutdown(
  transport: Transport & AsyncDisposable,
  { drainTimeoutMs, signals, sayGoodbye }: ShutdownLimits,
): () => void {
  const server = Server.current;
  if (server?.transport !== transport) return () => {};
  const gracefullyShutdown = server.gracefullyShutdown.bind(server);
  const shutDown = async (exit: boolean, error?: Error): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      if (drainTimeoutMs > 0) timer = setTimeout(resolve, drainTimeoutMs, "late").unref();
    });
    const outcome = await Promise.race([gracefullyShutdown(exit, error), late]);
    clearTimeout(timer);
    if (outcome !== "late") return;
    debugAndPrintError(new Error(`Rooms have not ended within ${drainTimeoutMs} ms of the shutdown: they are left.`));
    const code = isDevMode ? CloseCode.MAY_TRY_RECONNECT : CloseCode.SERVER_SHUTDOWN;
    // Players leave after their rooms have saved them, if these are willing.
    const leaving = Promise.allSettled(matchMaker.disconnectAll(code));
    await Promise.race([leaving, sleep(LAST_CHANCE_MS)]);
    sayGoodbye(code);
    await transport[Symbol.asyncDispose]();
    if (exit) process.exit(error && !isDevMode ? 1 : 0);
  };
  let shutdown: Promise<void> | undefined;
  server.gracefullyShutdown = (exit = true, error) =>
    (shutdown ??= shutDown(exit, error).finally(() => {
      shutdown = undefined;
    }));
  // As Colyseus registers for SIGINT and SIGTERM, unless the program said that it does so itself.
  if (!signals || server.options.gracefullyShutdown === false) return () => {};
  let hungUp = false;
  const hangUp = (): void => {
    hungUp = true;
    void server.gracefullyShutdown();
  };
  process.on("SIGHUP", hangUp);
  return () => {
    // It may come again, and must not kill what it has begun.
    if (!hungUp) process.off("SIGHUP", hangUp);
  };
}
