import { createInterface } from "node:readline/promises";

/**
 * The first line of standard input that is not blank; undefined when it ends without one. A person at a terminal is asked for it.
 * @param signal gives up
 */
export async function readLine(question: string, signal: AbortSignal): Promise<string | undefined> {
  // Not on standard output, which may belong to JSON lines.
  if (process.stdin.isTTY) process.stderr.write(question);
  const lines = createInterface({ input: process.stdin, signal });
  try {
    for await (const line of lines) if (line.trim() !== "") return line.trim();
    return undefined;
  } finally {
    lines.close();
  }
}
