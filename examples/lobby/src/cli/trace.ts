/** `--trace FILE` of the programs that host and join. */
import { TraceFile } from "sallyport";
import type { OptionHelp } from "./arguments.ts";
import { EXIT, Failure, type Program } from "./program.ts";

export const TRACE_OPTION: OptionHelp = {
  type: "string",
  value: "FILE",
  help: "write what happens inside as JSON lines, for a bug report",
};

/** Traces until the program ends, all clean-up included: call it before anything else is registered. @throws Failure */
export function openTrace(file: string | undefined, program: string, onExit: Program["onExit"]): void {
  if (file === undefined) return;
  const trace = create(file, program);
  onExit(() => {
    trace[Symbol.dispose]();
    console.error(trace.notice);
  });
}

function create(file: string, program: string): TraceFile {
  try {
    return new TraceFile(file, { program });
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error), EXIT.cannotCreate);
  }
}
