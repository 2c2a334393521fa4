/** The example's programs as child processes, watched by their lines. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../examples/lobby/src/", import.meta.url);

export interface Line {
  stream: "stdout" | "stderr";
  text: string;
}

export class RunningProgram implements AsyncDisposable {
  readonly lines: Line[] = [];
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  readonly process: ChildProcess;
  #wake = Promise.withResolvers<void>();
  #over = false;

  constructor(program: string, argv: readonly string[] = [], env: Record<string, string> = {}) {
    this.process = spawn(process.execPath, [fileURLToPath(new URL(program, FOLDER)), ...argv], {
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
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of ["stdout", "stderr"] as const) {
      const input = this.process[stream];
      if (input === null) continue;
      createInterface({ input }).on("line", (text) => {
        this.lines.push({ stream, text });
        this.#notify();
      });
    }
    this.exited = once(this.process, "close").then(([code, signal]) => {
      this.#over = true;
      this.#notify();
      return (code ?? signal) as number | string;
    });
  }

  /** The first line that matches, now or later. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find(({ text }) => pattern.test(text));
      if (found !== undefined) return found.text;
      if (this.#over) throw new Error(`The program ended without a line like ${pattern}:\n${this.output}`);
      await this.#wake.promise;
    }
  }

  /** The first JSON line with this event that matches. */
  async event(name: string, matches: (event: JsonEvent) => boolean = () => true): Promise<JsonEvent> {
    for (let seen = 0; ; ) {
      for (; seen < this.lines.length; seen++) {
        const line = this.lines[seen];
        if (line?.stream !== "stdout" || !line.text.startsWith("{")) continue;
        const event = JSON.parse(line.text) as JsonEvent;
        if (event["event"] === name && matches(event)) return event;
      }
      if (this.#over) throw new Error(`The program ended without the event ${name}:\n${this.output}`);
      await this.#wake.promise;
    }
  }

  get stdout(): string {
    return this.#textOf("stdout");
  }

  get stderr(): string {
    return this.#textOf("stderr");
  }

  get output(): string {
    return this.lines.map(({ text }) => text).join("\n");
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** As a person would end it; by force if that does not help. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 12_000);
    await this.exited;
    clearTimeout(timer);
  }

  #textOf(stream: Line["stream"]): string {
    return this.lines
      .filter((line) => line.stream === stream)
      .map(({ text }) => text)
      .join("\n");
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
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
