/**
 * Signals for programs of tests. Windows tells its programs of Ctrl-C by their console alone, and `kill` ends them as the task manager
 * does: there a program is told over a channel what the console would tell it.
 */
import type { ChildProcess, StdioOptions } from "node:child_process";

const IS_WINDOWS = process.platform === "win32";

/** Goes before the program, on the command line of Node. */
export const SIGNAL_ARGV: readonly string[] = IS_WINDOWS
  ? ["--import", new URL("./console-events.ts", import.meta.url).href]
  : [];

/** Output is read; nothing is written. */
export const SIGNAL_STDIO: StdioOptions = IS_WINDOWS ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"];

/** Sends a signal to a program that was started with both. */
export function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (!IS_WINDOWS || name === "SIGKILL") child.kill(name);
  else if (child.connected) child.send(name);
}
