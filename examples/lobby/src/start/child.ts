/** One of our programs as a child process: Colyseus has one matchmaker per process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { SHUTDOWN_MS } from "../cli/program.ts";

const PATIENCE_MS = SHUTDOWN_MS + 500;

export class Child {
  /** Its exit code; that of a child ended by a signal counts as 70. */
  readonly exited: Promise<number>;
  /** It has sent its first message. */
  readonly ready: Promise<void>;
  readonly #process: ChildProcess;

  constructor(
    program: string,
    argv: readonly string[],
    env: NodeJS.ProcessEnv,
    onLine: (line: string, stream: "stdout" | "stderr") => void,
  ) {
    const path = fileURLToPath(new URL(`../${program}`, import.meta.url));
    const child = spawn(process.execPath, [path, ...argv], {
      env,
      // Its own process group: Ctrl-C reaches us alone, and we pass it on once.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#process = child;
    for (const stream of ["stdout", "stderr"] as const) {
      const input = child[stream];
      if (input !== null) createInterface({ input }).on("line", (line) => onLine(line, stream));
    }
    // Not "close", which does not come after our own disconnect().
    const said = [child.stdout, child.stderr].map((stream) => (stream === null ? undefined : finished(stream)));
    this.exited = Promise.all([once(child, "exit"), ...said]).then(
      ([[code]]) => (code as number | null) ?? 70,
      () => 70,
    );
    this.ready = once(child, "message").then(() => undefined);
    this.ready.catch(() => undefined);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    // Windows has no SIGTERM: it would end the child before that has given its ports back.
    if (process.platform !== "win32") this.#process.kill("SIGTERM");
    else if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), PATIENCE_MS);
    await this.exited;
    clearTimeout(timer);
  }
}
