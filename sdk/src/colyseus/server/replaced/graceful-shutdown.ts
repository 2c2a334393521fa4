import type { Server } from "@colyseus/core";
import { replaceMethod } from "./methods.ts";

export interface GracefulShutdownLimits {
  /** How long Colyseus may take, ms; 0 waits for ever. */
  timeoutMs: number;
  /** Called once the time is over; the shutdown ends when it resolves. */
  abandon: (exit: boolean, error: Error | undefined) => Promise<void>;
}

/**
 * Makes Colyseus' graceful shutdown one that has a time limit, and that joins the one that is under way.
 *
 * Colyseus 0.18 waits for its rooms as long as they like, and a second call (npm repeats signals) ends the process in the midst of
 * the first.
 * @returns undoes it, when the shutdown under way has ended
 */
export function limitGracefulShutdown(server: Server, { timeoutMs, abandon }: GracefulShutdownLimits): () => void {
  let shutdown: Promise<void> | undefined;
  let undone = false;
  const run = async (original: Server["gracefullyShutdown"], exit: boolean, error?: Error): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      if (timeoutMs > 0) timer = setTimeout(resolve, timeoutMs, "late").unref();
    });
    const outcome = await Promise.race([original(exit, error), late]);
    clearTimeout(timer);
    if (outcome === "late") await abandon(exit, error);
  };
  const undo = replaceMethod(server, "gracefullyShutdown", (original) => (exit = true, error) => {
    shutdown ??= run(original as Server["gracefullyShutdown"], exit as boolean, error as Error | undefined).finally(
      () => {
        shutdown = undefined;
        if (undone) undo();
      },
    );
    return shutdown;
  });
  return () => {
    undone = true;
    if (!shutdown) undo();
  };
}
