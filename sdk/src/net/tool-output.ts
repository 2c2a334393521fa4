import { execFile } from "node:child_process";

export interface ToolOptions {
  /** After that it is ended, ms. Default 2000. */
  timeoutMs?: number;
  /** More is not kept, and ends it. Default 1 MiB. */
  maxBytes?: number;
}

/**
 * What one of the system's own tools writes, as bytes (`latin1`): its language's code page is not ours to know, and only ASCII is read
 * of it. Never rejects: what it wrote before it failed is all there is, or nothing.
 * @param path in full: whatever else of that name is in the search path is not run
 */
export function toolOutput(path: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { timeoutMs: timeout = 2000, maxBytes: maxBuffer = 1 << 20 } = options;
  return new Promise((resolve) => {
    try {
      execFile(path, args, { encoding: "latin1", timeout, maxBuffer, windowsHide: true }, (_error, output) => {
        resolve(output);
      });
    } catch {
      // No descriptor or no memory is left for another process.
      resolve("");
    }
  });
}
