/** The example's programs as child processes, watched by their lines. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { SIGNAL_ARGV, SIGNAL_STDIO, signal } from "../signals.ts";
import { ProgramLines } from "./program-lines.ts";

const FOLDER = new URL("../../examples/lobby/src/", import.meta.url);

export class RunningProgram implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #lines: ProgramLines;

  constructor(program: string, argv: readonly string[] = [], env: Record<string, string> = {}) {
    this.process = spawn(process.execPath, [...SIGNAL_ARGV, fileURLToPath(new URL(program, FOLDER)), ...argv], {
      // No router and no STUN server is asked, and no well-known port taken.
      env: {
        ...process.env,
        NO_COLOR: "1",
        LOBBY_URL: "",
        SALLYPORT_VIA: "none",
        SALLYPORT_STUN_URLS: "",
        STUN_PORT: "0",
        ...env,
      },
      stdio: SIGNAL_STDIO,
    });
    this.#lines = new ProgramLines(this.process);
  }

  /** Exit code, or the signal that ended it. */
  get exited(): Promise<number | string> {
    return this.#lines.exited;
  }

  get stdout(): string {
    return this.#lines.text("stdout");
  }

  get stderr(): string {
    return this.#lines.text("stderr");
  }

  get output(): string {
    return this.#lines.text();
  }

  /** The first line that matches, now or later. */
  line(pattern: RegExp): Promise<string> {
    return this.#lines.find(`a line like ${pattern}`, (lines) => lines.find(({ text }) => pattern.test(text))?.text);
  }

  /** The first JSON line with this event that matches. */
  event(name: string, matches: (event: JsonEvent) => boolean = () => true): Promise<JsonEvent> {
    let seen = 0;
    return this.#lines.find(`the event ${name}`, (lines) => {
      for (; seen < lines.length; seen++) {
        const line = lines[seen];
        if (line?.stream !== "stdout" || !line.text.startsWith("{")) continue;
        const event = JSON.parse(line.text) as JsonEvent;
        if (event["event"] === name && matches(event)) return event;
      }
      return undefined;
    });
  }

  signal(name: NodeJS.Signals): void {
    signal(this.process, name);
  }

  /** As a person would end it; by force if that does not help. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#lines.over) this.signal("SIGTERM");
    await this.#lines.ended(() => this.signal("SIGKILL"));
  }
}

export type JsonEvent = Record<string, unknown>;

/** A TCP port that nobody has at this moment; UDP is free there too as far as can be told. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Whether the port can be had, TCP. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port);
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
