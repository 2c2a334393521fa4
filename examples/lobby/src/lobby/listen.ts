/** `listen()` of a Colyseus server, whose own promise never settles when the port is taken. */
import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { EXIT, Failure } from "../cli/program.ts";

interface Listening {
  listen(port: number): Promise<unknown>;
}

/** @throws Failure that says what to do about the port */
export async function listen(server: Listening, http: HttpServer, port: number, advice: string): Promise<void> {
  const listening = Promise.resolve(server.listen(port));
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
    throw explain(error, port, advice);
  } finally {
    failed.abort();
  }
}

function explain(error: unknown, port: number, advice: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === "EADDRINUSE") {
    return new Failure(`Port ${port} is in use by another program. ${advice}`, EXIT.unavailable);
  }
  if (code === "EACCES") {
    return new Failure(`Port ${port} needs privileges that this program does not have. ${advice}`, EXIT.unavailable);
  }
  return error;
}
