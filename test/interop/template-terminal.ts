/** Programs as a person runs them in a terminal, watched by their lines. */
import { type ChildProcess, spawn } from "node:child_process";
import { dirname } from "node:path";
import { ProgramLines } from "./program-lines.ts";

/** The system's, without what the npm that runs the tests has put there for its own package. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|config_(local_prefix|workspace)|command|execpath)|^INIT_CWD$/i.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    // The Node that runs the tests, whatever the system's is.
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    NO_COLOR: "1",
    // Neither router nor STUN server is asked.
    SALLYPORT_VIA: "none",
    SALLYPORT_STUN_URLS: "",
    LOBBY_URL: "",
    npm_config_update_notifier: "false",
    npm_config_prefer_offline: "true",
  };
}

export class Terminal implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: ProgramLines;

  constructor(command: readonly [string, ...string[]], { cwd, env = {} }: { cwd: string; env?: NodeJS.ProcessEnv }) {
    const [program, ...argv] = command;
    this.#process = spawn(program, argv, {
      cwd,
      env: { ...cleanEnvironment(), ...env },
      stdio: ["pipe", "pipe", "pipe"],
      // Its own process group, as a terminal makes it: Ctrl-C reaches all that npm has started.
      detached: true,
    });
    this.#lines = new ProgramLines(this.#process);
  }

  /** Exit code, or the signal that ended it. */
  get exited(): Promise<number | string> {
    return this.#lines.exited;
  }

  get output(): string {
    return this.#lines.text();
  }

  /** The `count`th line that matches, now or later. */
  line(pattern: RegExp, count = 1): Promise<string> {
    return this.#lines.find(
      `a line like ${pattern}`,
      (lines) => lines.filter(({ text }) => pattern.test(text))[count - 1]?.text,
    );
  }

  type(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Ctrl-C. */
  interrupt(signal: NodeJS.Signals = "SIGINT"): void {
    const { pid } = this.#process;
    if (this.#lines.over || pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // all gone already
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.interrupt();
    await this.#lines.ended(() => this.interrupt("SIGKILL"));
  }
}

/** Runs a command to its end. */
export async function run(
  command: readonly [string, ...string[]],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<{ code: number | string; output: string }> {
  await using terminal = new Terminal(command, options);
  return { code: await terminal.exited, output: terminal.output };
}
