import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";

export interface Line {
  stream: "stdout" | "stderr";
  text: string;
}

/** How long a program that was asked to end may take, ms. */
const GRACE_MS = 12_000;

/** What a program prints until it ends, for whoever waits for a line of it. */
export class ProgramLines {
  /** Of both streams, as they came. */
  readonly all: Line[] = [];
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  #over = false;
  #wake = Promise.withResolvers<void>();

  constructor(child: ChildProcess) {
    for (const stream of ["stdout", "stderr"] as const) {
      const input = child[stream];
      if (input === null) continue;
      createInterface({ input }).on("line", (text) => {
        this.all.push({ stream, text });
        this.#notify();
      });
    }
    // Not "close", which does not come where the parent has ended a channel.
    const said = [child.stdout, child.stderr].map((stream) => stream && finished(stream).catch(() => undefined));
    this.exited = Promise.all([once(child, "exit"), ...said]).then(([[code, signal]]) => {
      this.#over = true;
      this.#notify();
      return (code ?? signal) as number | string;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** One under the other. */
  text(stream?: Line["stream"]): string {
    const lines = stream === undefined ? this.all : this.all.filter((line) => line.stream === stream);
    return lines.map(({ text }) => text).join("\n");
  }

  /**
   * What `look` finds in the lines, now or later.
   * @throws when the program has ended without it
   */
  async find<T>(what: string, look: (lines: readonly Line[]) => T | undefined): Promise<T> {
    for (;;) {
      const found = look(this.all);
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`The program ended without ${what}:\n${this.text()}`);
      await this.#wake.promise;
    }
  }

  /** Waits for the end of a program that was asked to end, and helps it along. */
  async ended(force: () => void): Promise<void> {
    const timer = setTimeout(force, GRACE_MS);
    await this.exited;
    clearTimeout(timer);
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
