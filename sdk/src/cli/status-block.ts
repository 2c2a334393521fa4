/** A few lines at the end of a terminal that are written anew each second, below all that was said. */
import { stripVTControlCharacters } from "node:util";

/** What of a terminal it needs. */
export interface Terminal {
  readonly columns: number;
  write(text: string): unknown;
}

const REDRAW_MS = 1000;
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const ERASE_BELOW = "\u001b[J";
const up = (lines: number): string => (lines === 0 ? "\r" : `\r\u001b[${lines}A`);

export class StatusBlock implements Disposable {
  readonly #terminal: Terminal;
  readonly #render: () => readonly string[];
  readonly #timer: NodeJS.Timeout;
  /** Lines that are on the terminal now. */
  #drawn = 0;
  #ended = false;

  /** @param render the lines as they are now; each is cut to the terminal's width */
  constructor(terminal: Terminal, render: () => readonly string[]) {
    this.#terminal = terminal;
    this.#render = render;
    this.#timer = setInterval(() => this.draw(), REDRAW_MS).unref();
    terminal.write(HIDE_CURSOR);
    this.draw();
  }

  /** Writes a line above. */
  line(text: string): void {
    this.#terminal.write(`${this.#erasing()}${text}\n`);
    this.draw();
  }

  draw(): void {
    if (this.#ended) return;
    const lines = this.#render().map((line) => cut(line, this.#terminal.columns - 1));
    this.#terminal.write(this.#erasing() + lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }

  /** The last lines stay. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#terminal.write(SHOW_CURSOR);
  }

  #erasing(): string {
    const erasing = up(this.#drawn) + ERASE_BELOW;
    this.#drawn = 0;
    return erasing;
  }
}

/** A line that is too long would wrap, and be counted as one. */
function cut(line: string, columns: number): string {
  const bare = stripVTControlCharacters(line);
  return bare.length <= columns ? line : `${bare.slice(0, Math.max(0, columns - 1))}…`;
}
