import { matchMaker } from "@colyseus/core";
import { replaceMethod } from "./methods.ts";

/**
 * Makes Colyseus' graceful shutdown wait for its transport.
 *
 * Colyseus 0.18 calls `transport.shutdown()` without awaiting it, then awaits `driver.shutdown()`, then ends the process: ports would
 * stay mapped.
 * @param closed settles when the transport is closed; the driver gets its method back then
 */
export async function holdDriverShutdown(closed: Promise<void>): Promise<void> {
  // Undefined where no Colyseus server was made.
  const driver = matchMaker.driver as typeof matchMaker.driver | undefined;
  const undo = driver
    ? replaceMethod(driver, "shutdown", (original) => async () => {
        await closed;
        await original();
      })
    : () => {};
  try {
    await closed;
  } finally {
    undo();
  }
}
