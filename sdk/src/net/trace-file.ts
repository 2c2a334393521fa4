/** `--trace FILE`: the events of all rooms as JSON lines, for a bug report. */
import { closeSync, openSync, writeSync } from "node:fs";
import { arch, platform, release } from "node:os";
import { listenToTrace, TRACE_ROOMS, type TraceEvent, type TraceRoom } from "./trace.ts";

/** Options of a {@link TraceFile}. */
export interface TraceFileOptions {
  /** Default: all rooms. */
  rooms?: Iterable<TraceRoom>;
  /** Named in the first line: the program that traces. */
  program?: string;
  /** No more bytes than these are written. Default 64 MiB. */
  maxBytes?: number;
}

/**
 * Writes each event as one line of JSON, `{ "t", "room", "event", … }`, until disposed; `t` is in ms from the start of
 * the trace. The first line names program, Node and system. The file is readable by its owner alone. Lines are written
 * at once, so that a crash loses none; a disk that is full ends the trace, not the program.
 */
export class TraceFile implements Disposable {
  /** For the person who asked for the trace, once it is closed. */
  readonly notice: string;
  readonly #stop: () => void;
  readonly #startedAt: number = performance.now();
  #file: number | undefined;
  #left: number;

  /** @throws Error with one sentence when the file cannot be created; its cause is the system's */
  constructor(path: string, options: TraceFileOptions = {}) {
    const { rooms = TRACE_ROOMS, program = "sallyport", maxBytes = 64 * 1024 * 1024 } = options;
    this.notice = `Trace written to ${path}; it names addresses of your network.`;
    this.#file = create(path);
    this.#left = maxBytes;
    this.#write({
      t: 0,
      event: "trace",
      program,
      time: new Date().toISOString(),
      node: process.version,
      system: `${platform()} ${release()} ${arch()}`,
    });
    this.#stop = listenToTrace(rooms, (event) => this.#onEvent(event));
  }

  #onEvent({ room, event, fields }: TraceEvent): void {
    const t = Math.round((performance.now() - this.#startedAt) * 10) / 10;
    // First, and whatever a room may call its fields.
    this.#write(Object.assign({ t, room, event }, fields, { t, room, event }));
  }

  #write(line: object): void {
    if (this.#file === undefined) return;
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    this.#left -= bytes.length;
    try {
      if (this.#left < 0) {
        writeSync(this.#file, `${JSON.stringify({ event: "trace-full" })}\n`);
        this.#close();
      } else writeSync(this.#file, bytes);
    } catch {
      this.#close();
    }
  }

  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    this.#stop?.();
    try {
      if (file !== undefined) closeSync(file);
    } catch {
      // Nothing is left to be done for a file that cannot be closed.
    }
  }

  /** Ends the trace and closes the file. */
  [Symbol.dispose](): void {
    this.#close();
  }
}

function create(path: string): number {
  try {
    return openSync(path, "w", 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`The trace cannot be written to ${path} (${code ?? String(error)}).`, { cause: error });
  }
}
