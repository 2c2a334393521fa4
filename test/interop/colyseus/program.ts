import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface ProgramOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** A module of ./programs in a process of its own, watched by its lines. */
export class Program implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  /** Exit code or signal. */
  readonly exited: Promise<number | string>;
  #over = false;
  #wake = Promise.withResolvers<void>();

  constructor(module: string, argv: readonly string[] = [], { cwd, env }: ProgramOptions = {}) {
    const path = fileURLToPath(new URL(module, new URL("./programs/", import.meta.url)));
    this.process = spawn(process.execPath, [path, ...argv], {
      env: { ...process.env, SALLYPORT_VIA: "none", SALLYPORT_STUN_URLS: "", ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const input of [this.process.stdout, this.process.stderr]) {
      if (input) createInterface({ input }).on("line", (line) => this.#said(line));
    }
    this.exited = once(this.process, "close").then(([code, signal]) => {
      this.#over = true;
      this.#wake.resolve();
      return (code ?? signal) as number | string;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** The first line from `from` on that matches, now or later: what its first group says. */
  async line(pattern: RegExp, from = 0): Promise<string> {
    for (;;) {
      for (const line of this.lines.slice(from)) {
        const found = pattern.exec(line);
        if (found) return found[1] ?? found[0];
      }
      if (this.#over) throw new Error(`It ended without ${pattern}:\n${this.lines.join("\n")}`);
      await this.#wake.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.process.kill("SIGKILL");
    await this.exited;
  }

  #said(line: string): void {
    this.lines.push(line);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
