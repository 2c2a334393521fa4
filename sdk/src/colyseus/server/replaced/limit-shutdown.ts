import { CloseCode, debugAndPrintError, isDevMode, matchMaker, Server, type Transport } from "@colyseus/core";
import { sleep } from "../../../net/wait.ts";

const LAST_CHANCE_MS = 500;

/**
 * Colyseus' graceful shutdown waits for its rooms as long as they like. From now on it ends after `ms`: players that are still there
 * are told, the transport is closed, and the process ends if it was to end.
 */
export function limitShutdown(
  transport: Transport & AsyncDisposable,
  ms: number,
  sayGoodbye: (code: number) => void,
): void {
  const server = Server.current;
  if (server?.transport !== transport) return;
  const gracefullyShutdown = server.gracefullyShutdown.bind(server);
  server.gracefullyShutdown = async (exit = true, error) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, ms, "late").unref();
    });
    const outcome = await Promise.race([gracefullyShutdown(exit, error), late]);
    clearTimeout(timer);
    if (outcome !== "late") return;
    debugAndPrintError(new Error(`Rooms have not ended within ${ms} ms of the shutdown: they are left.`));
    const code = isDevMode ? CloseCode.MAY_TRY_RECONNECT : CloseCode.SERVER_SHUTDOWN;
    // Players leave after their rooms have saved them, if these are willing.
    const leaving = Promise.allSettled(matchMaker.disconnectAll(code));
    await Promise.race([leaving, sleep(LAST_CHANCE_MS)]);
    sayGoodbye(code);
    await transport[Symbol.asyncDispose]();
    if (exit) process.exit(error && !isDevMode ? 1 : 0);
  };
}
