/** A person at a terminal: an interactive bash on a pseudo-terminal of its own, in a machine of the lab. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../until.ts";
import type { LabProcess, Machine } from "../lab/index.ts";
import { shell } from "../lab/netns.ts";

/** A line of its own, so that it can be waited for like any other. */
const PROMPT = "[ready]";
/** Generous: it bounds a failure. */
const PATIENCE_MS = 60_000;

export interface PtyOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class Pty {
  readonly #script: LabProcess;

  constructor(machine: Machine, { cwd, env = {} }: PtyOptions) {
    // script(1) holds the master's end. bash leads the session, as in a terminal's window.
    this.#script = machine.spawn(["script", "-qfc", "exec bash --norc --noprofile -i", "/dev/null"], {
      cwd,
      env: {
        ...withoutNpm(),
        SHELL: "/bin/sh",
        TERM: "dumb",
        NO_COLOR: "1",
        PS1: `${PROMPT}\\n`,
        HISTFILE: "",
        ...env,
      },
    });
  }

  get output(): string {
    return this.#script.output.join("\n");
  }

  /** Types a command when the shell is ready for it. */
  async type(command: string): Promise<void> {
    await this.prompt();
    this.press(`${command}\n`);
  }

  /** The next line that matches. */
  line(pattern: RegExp, patienceMs: number = PATIENCE_MS): Promise<string> {
    return this.#script.waitForLine(pattern, patienceMs);
  }

  /** The shell has the terminal again. */
  async prompt(): Promise<void> {
    await this.line(/\[ready\]$/);
  }

  /** The Ctrl-C key: the terminal signals its whole foreground group. */
  interrupt(): void {
    this.press("\x03");
  }

  press(keys: string): void {
    this.#script.write(keys);
  }

  /** The window is closed. */
  hangUp(): void {
    this.#script.kill("SIGKILL");
  }
}

/** Resolves when no program runs in this machine but shells at their prompt. @throws after a minute, with what runs */
export async function quiet(machine: Machine): Promise<void> {
  let running: string[] = [];
  const isQuiet = async (): Promise<boolean> => {
    running = (await programs(machine)).filter((command) => !/^(?:script|bash --norc)/.test(command));
    return running.length === 0;
  };
  await until(isQuiet, { timeoutMs: PATIENCE_MS, everyMs: 20 }).catch(() => {
    throw new Error(`still running after ${PATIENCE_MS} ms: ${running.join("; ")}`);
  });
}

async function programs({ namespace }: Machine): Promise<string[]> {
  const pids = (await shell(`ip netns pids ${namespace}`)).split("\n").filter((line) => line !== "");
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(join("/proc", pid, "cmdline"), "utf8")
        .replaceAll("\0", " ")
        .trim();
      return command === "" ? [] : [command];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** What the npm that runs the tests has put into the environment for its own package. */
function withoutNpm(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => /^(?:npm_|INIT_CWD$)/i.test(name));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}
