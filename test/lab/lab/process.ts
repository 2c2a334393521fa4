/** A process inside a namespace: its lines, its end, its ports. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { until } from "../../until.ts";
import { environment, isInside } from "./netns.ts";

export interface SpawnOptions {
  /** Added to the environment of this process; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export interface Exit {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Lines kept of a process that says much. */
const KEPT_LINES = 10_000;

/** A running process with its own process group, so that what it starts ends with it. */
export class LabProcess implements AsyncDisposable {
  readonly command: readonly string[];
  /** Resolves when the process has ended and all of its output is read. Never rejects. */
  readonly exited: Promise<Exit>;
  /** Both outputs, as they came: for messages of failed tests. */
  readonly output: string[] = [];
  /** Length of all that both outputs said so far. */
  outputBytes = 0;

  readonly #child: ChildProcess;
  readonly #namespace: string;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  #exit: Exit | undefined;
  #next = 0;

  constructor(namespace: string, command: readonly string[], options: SpawnOptions = {}) {
    this.command = command;
    this.#namespace = namespace;
    this.#child = spawn("ip", ["netns", "exec", namespace, ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      env: environment(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const { stdin, stdout, stderr } = this.#child;
    if (stdin === null || stdout === null || stderr === null) throw new Error("pipes were asked for");
    stdin.on("error", () => {}); // it ended before it read what was written
    createInterface({ input: stdout }).on("line", (line) => {
      this.#keep(line);
      this.#lines.push(line);
      this.#wake();
    });
    createInterface({ input: stderr }).on("line", (line) => this.#keep(line));
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        if (this.#exit !== undefined) return;
        this.#exit = exit;
        this.#wake();
        resolve(exit);
      };
      this.#child.once("error", (error) => {
        this.#keep(String(error));
        end({ code: 127, signal: null });
      });
      this.#child.once("close", (code, signal) => end({ code, signal }));
    });
  }

  /** The pid of the program itself (`ip netns exec` replaces itself by it). */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Has it ended? */
  get ended(): boolean {
    return this.#exit !== undefined;
  }

  /** Everything that it printed on standard output, so far. */
  get stdout(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes its standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Lines of standard output from the first one on, until it ends. */
  async *[Symbol.asyncIterator](): AsyncIterator<string> {
    for (let next = 0; ; ) {
      const line = this.#lines[next];
      if (line !== undefined) {
        next++;
        yield line;
      } else if (this.#exit === undefined) {
        await this.#woken();
      } else {
        return;
      }
    }
  }

  /**
   * The next line of standard output that fits, counted from the line after that which the call before found.
   * @throws when it ends first, or after `timeoutMs` (default 10 s); the message has the last lines that it printed.
   */
  async waitForLine(match: RegExp | ((line: string) => boolean), timeoutMs = 10_000): Promise<string> {
    const fits = match instanceof RegExp ? (line: string): boolean => match.test(line) : match;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      for (let line = this.#lines[this.#next]; line !== undefined; line = this.#lines[this.#next]) {
        this.#next++;
        if (fits(line)) return line;
      }
      const left = deadline - performance.now();
      if (this.#exit !== undefined) throw this.#failure(`ended (${describeExit(this.#exit)}) without ${String(match)}`);
      if (left <= 0) throw this.#failure(`no line with ${String(match)} in ${timeoutMs} ms`);
      await this.#woken(left);
    }
  }

  /** As `waitForLine`, for programs that print JSON lines; lines that are not JSON are passed over. */
  async waitForJson<T extends Record<string, unknown>>(fits: (value: T) => boolean, timeoutMs?: number): Promise<T> {
    let found: T | undefined;
    await this.waitForLine((line) => {
      if (!line.startsWith("{")) return false;
      try {
        found = JSON.parse(line) as T;
      } catch {
        return false;
      }
      return fits(found);
    }, timeoutMs);
    return found as T;
  }

  /** Waits until a socket of its namespace listens on the TCP port or is bound to the UDP port. */
  async waitForPort(protocol: "tcp" | "udp", port: number, timeoutMs = 10_000): Promise<void> {
    const isOpen = (): boolean => {
      if (this.#exit !== undefined) throw this.#failure(`ended (${describeExit(this.#exit)}), no ${protocol} ${port}`);
      return isBound(this.pid, this.#namespace, protocol, port);
    };
    await until(isOpen, { timeoutMs, everyMs: 5 }).catch((error: unknown) => {
      throw this.#failure(String(error));
    });
  }

  /** Sends a signal to it and all that it started (as Ctrl-C in a terminal does); false when it has ended. */
  kill(signal: NodeJS.Signals = "SIGTERM"): boolean {
    if (this.#exit !== undefined || this.#child.pid === undefined) return false;
    try {
      return process.kill(-this.#child.pid, signal);
    } catch {
      return false;
    }
  }

  /** SIGTERM, and SIGKILL after `graceMs` (default 3 s). */
  async stop(graceMs = 3_000): Promise<Exit> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #keep(line: string): void {
    if (this.output.length >= KEPT_LINES) this.output.splice(0, KEPT_LINES / 2);
    this.output.push(line);
    this.outputBytes += Buffer.byteLength(line) + 1;
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher();
  }

  async #woken(timeoutMs?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => done(), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        resolve();
      };
      this.#watchers.add(done);
    });
  }

  #failure(what: string): Error {
    return new Error(`${this.command.join(" ")}: ${what}\n${this.output.slice(-30).join("\n")}`);
  }
}

/** How it ended, in words. */
export function describeExit(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code}` : exit.signal;
}

/** Reads the kernel's table of the sockets in the namespace of `pid` (local address in hex, state 0A = listening). */
function isBound(pid: number, namespace: string, protocol: "tcp" | "udp", port: number): boolean {
  if (!isInside(pid, namespace)) return false;
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of [protocol, `${protocol}6`]) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/net/${table}`, "utf8");
    } catch {
      continue;
    }
    for (const line of text.split("\n").slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      if (local?.endsWith(wanted) === true && (protocol === "udp" || state === "0A")) return true;
    }
  }
  return false;
}
