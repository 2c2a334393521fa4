import { execFile } from "node:child_process";
import { isExhausted } from "./exhaustion.ts";

export interface ToolOptions {
  /** After that it is ended, ms. Default 2000. */
  timeoutMs?: number;
  /** More is not kept, and ends it. Default 1 MiB. */
  maxBytes?: number;
}

/**
 * What one of the system's own tools writes, as bytes (`latin1`): its language's code page is not ours to know, and only ASCII is read
 * of it. What it wrote before it failed is all there is, or nothing.
 * @param path in full: whatever else of that name is in the search path is not run
 * @throws the system's error where it lacked descriptors or memory for another process
 */
export function toolOutput(path: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { timeoutMs: timeout = 2000, maxBytes: maxBuffer = 1 << 20 } = options;
  return new Promise((resolve, reject) => {
    execFile(path, args, { encoding: "latin1", timeout, maxBuffer, windowsHide: true }, (error, output) => {
      if (isExhausted(error)) reject(error);
      else resolve(output);
    });
  });
}
