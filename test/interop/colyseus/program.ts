import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SIGNAL_ARGV, SIGNAL_STDIO, signal } from "../../signals.ts";
import { ProgramLines } from "../program-lines.ts";

export interface ProgramOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** A module of ./programs in a process of its own, watched by its lines. */
export class Program implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #lines: ProgramLines;

  constructor(module: string, argv: readonly string[] = [], { cwd, env }: ProgramOptions = {}) {
    const path = fileURLToPath(new URL(module, new URL("./programs/", import.meta.url)));
    this.process = spawn(process.execPath, [...SIGNAL_ARGV, path, ...argv], {
      env: { ...process.env, SALLYPORT_VIA: "none", SALLYPORT_STUN_URLS: "", ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: SIGNAL_STDIO,
    });
    this.#lines = new ProgramLines(this.process);
  }

  /** Exit code, or the signal that ended it. */
  get exited(): Promise<number | string> {
    return this.#lines.exited;
  }

  get over(): boolean {
    return this.#lines.over;
  }

  signal(name: NodeJS.Signals): void {
    signal(this.process, name);
  }

  /** All that it has printed so far on a stream. */
  text(stream: "stdout" | "stderr"): string {
    return this.#lines.text(stream);
  }

  /** The first line that matches, now or later: what its first group says. */
  line(pattern: RegExp): Promise<string> {
    return this.#lines.find(`a line like ${pattern}`, (lines) => {
      for (const { text } of lines) {
        const found = pattern.exec(text);
        if (found) return found[1] ?? found[0];
      }
      return undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.over) this.process.kill("SIGKILL");
    await this.exited;
  }
}
