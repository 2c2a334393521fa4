/** The frame of every program here: usage, errors, Ctrl-C, and an end that comes within its time. */
import { Console } from "node:console";
import { HelpWanted, UsageError } from "./arguments.ts";

/** What went wrong and what the person can do: no stack. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** sysexits.h: EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT. */
export const EXIT = { usage: 64, unavailable: 69, software: 70, cannotCreate: 73 } as const;

/** All clean-up together; then the process ends whatever is still open. Unmapping a port may take 5 s. */
export const SHUTDOWN_MS = 6000;

export interface Program {
  /** Aborted by Ctrl-C, Ctrl-Break, SIGTERM, a closed terminal, or by the end of the process that started this one. */
  signal: AbortSignal;
  /** To be done before the process ends, last registered first. */
  onExit: (cleanUp: () => Promise<void> | void) => void;
}

/** Runs `main`, whose answer is the exit code, and ends the process. */
export async function runProgram(
  main: (program: Program) => Promise<number>,
  { shutdownMs = SHUTDOWN_MS }: { shutdownMs?: number } = {},
): Promise<never> {
  const interrupted = new AbortController();
  const cleanUps: (() => Promise<void> | void)[] = [];
  // npm passes on what the terminal has sent already: a second Ctrl-C may be the first one. The end comes within its time anyway.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const) process.on(name, () => interrupted.abort());
  if (process.channel !== undefined && process.channel !== null) {
    process.on("disconnect", () => interrupted.abort());
    process.channel.unref();
  }
  // The reader may be gone (`| head`), or the terminal: that is no reason to leave a port mapped.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => interrupted.abort());

  // Something is broken beyond repair, but mappings and listings are still ours to take back.
  let broken = false;
  process.on("uncaughtException", (error) => {
    console.error(error);
    broken = true;
    interrupted.abort();
  });

  let exitCode: number;
  try {
    exitCode = await main({ signal: interrupted.signal, onExit: (cleanUp) => cleanUps.push(cleanUp) });
  } catch (error) {
    exitCode = report(error);
  }
  const deadline = setTimeout(() => {
    console.error("Not everything could be closed in time.");
    process.exit(exitCode === 0 ? EXIT.software : exitCode);
  }, shutdownMs);
  for (const cleanUp of cleanUps.reverse()) {
    try {
      await cleanUp();
    } catch (error) {
      exitCode = Math.max(exitCode, report(error));
    }
  }
  clearTimeout(deadline);
  process.exit(broken ? EXIT.software : exitCode);
}

function report(error: unknown): number {
  if (error instanceof HelpWanted) {
    process.stdout.write(`${error.message}\n`);
    return 0;
  }
  if (error instanceof UsageError) {
    console.error(error.message);
    return EXIT.usage;
  }
  if (error instanceof Failure) {
    console.error(error.message);
    return error.exitCode;
  }
  console.error(error);
  return EXIT.software;
}

/** With `--json` standard output belongs to the JSON lines: whatever libraries print goes to standard error. */
export function keepOutputForJson(): void {
  globalThis.console = new Console(process.stderr, process.stderr);
}

/** Resolves when the program is interrupted. */
export function interruption(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
