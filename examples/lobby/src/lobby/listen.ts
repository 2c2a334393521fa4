/** `listen()` of a Colyseus server, whose own promise never settles when the port is taken. */
import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { EXIT, Failure } from "../cli/program.ts";

interface Listening {
  listen(port: number, hostname?: string): Promise<unknown>;
}
interface Place {
  port: number;
  /** An address of this machine; undefined: all of them. */
  host?: string | undefined;
}

/** @throws Failure that says what to do about the port or the address */
export async function listen(server: Listening, http: HttpServer, place: Place, advice: string): Promise<void> {
  const listening = Promise.resolve(server.listen(place.port, place.host));
  listening.catch(() => undefined);
  const failed = new AbortController();
  try {
    await Promise.race([
      listening,
      once(http, "error", { signal: failed.signal }).then(([error]) => {
        throw error;
      }),
    ]);
  } catch (error) {
    throw explain(error, place, advice);
  } finally {
    failed.abort();
  }
}

function explain(error: unknown, { port, host }: Place, advice: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === "EADDRINUSE") {
    return new Failure(`Port ${port} is in use by another program. ${advice}`, EXIT.unavailable);
  }
  if (code === "EACCES") {
    const why =
      port < 1024 && process.platform !== "win32"
        ? "needs privileges that this program does not have"
        : "is reserved by the system, as Windows does for Hyper-V, WSL and Docker";
    return new Failure(`Port ${port} ${why}. ${advice}`, EXIT.unavailable);
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new Failure(`This machine has no address ${host}: HOST names one, or is left out.`, EXIT.unavailable);
  }
  return error;
}
