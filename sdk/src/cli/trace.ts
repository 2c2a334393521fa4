/** `--trace FILE` of the commands that do something on the network. */
import { TraceFile } from "../net/trace-file.ts";
import { CannotCreateError, UsageError } from "./command.ts";

/** For {@link parseOptions}. */
export const TRACE_OPTION = { type: "string" } as const;
export const TRACE_USAGE =
  "  --trace FILE            write what happens inside as JSON lines, for a bug report; it names addresses of your network";

/**
 * Traces until disposed, and says then where to. It is opened before the command does anything, so that it is the last to
 * close.
 * @throws {UsageError} @throws {CannotCreateError}
 */
export function openTrace(file: string | undefined, command: string): Disposable | undefined {
  if (file === undefined) return undefined;
  if (file === "") throw new UsageError("--trace needs the name of a file");
  const trace = create(file, command);
  return {
    [Symbol.dispose]() {
      trace[Symbol.dispose]();
      // Standard output may be a program's.
      process.stderr.write(`${trace.notice}\n`);
    },
  };
}

function create(file: string, command: string): TraceFile {
  try {
    return new TraceFile(file, { program: `sallyport ${command}` });
  } catch (error) {
    throw new CannotCreateError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
