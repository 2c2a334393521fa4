/** Programs as a person runs them in a terminal, watched by their lines. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

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
  /** Of both streams, as they came. */
  readonly lines: string[] = [];
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  readonly #process: ChildProcess;
  #wake = Promise.withResolvers<void>();
  #over = false;

  constructor(command: readonly [string, ...string[]], { cwd, env = {} }: { cwd: string; env?: NodeJS.ProcessEnv }) {
    const [program, ...argv] = command;
    this.#process = spawn(program, argv, {
      cwd,
      env: { ...cleanEnvironment(), ...env },
      stdio: ["pipe", "pipe", "pipe"],
      // Its own process group, as a terminal makes it: Ctrl-C reaches all that npm has started.
      detached: true,
    });
    for (const input of [this.#process.stdout, this.#process.stderr]) {
      if (input !== null) createInterface({ input }).on("line", (line) => this.#add(line));
    }
    this.exited = once(this.#process, "close").then(([code, signal]) => {
      this.#over = true;
      this.#notify();
      return (code ?? signal) as number | string;
    });
  }

  get output(): string {
    return this.lines.join("\n");
  }

  /** The `count`th line that matches, now or later. */
  async line(pattern: RegExp, count = 1): Promise<string> {
    for (;;) {
      const found = this.lines.filter((line) => pattern.test(line))[count - 1];
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`It ended without a line like ${pattern}:\n${this.output}`);
      await this.#wake.promise;
    }
  }

  type(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Ctrl-C. */
  interrupt(signal: NodeJS.Signals = "SIGINT"): void {
    const { pid } = this.#process;
    if (this.#over || pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // all gone already
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.interrupt();
    const timer = setTimeout(() => this.interrupt("SIGKILL"), 12_000);
    await this.exited;
    clearTimeout(timer);
  }

  #add(line: string): void {
    this.lines.push(line);
    this.#notify();
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
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
