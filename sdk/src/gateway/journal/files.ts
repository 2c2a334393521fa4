import { mkdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";

/**
 * Between the tries of what Windows refuses while another program has the file open, ms. Virus scanners and indexers open each new
 * file for a moment; so do other processes of ours.
 */
const PAUSES_MS: readonly number[] = [2, 4, 8, 16];
const IN_USE: ReadonlySet<string | undefined> = new Set(["EPERM", "EACCES", "EBUSY"]);

/**
 * Readers see the old file or the new one, never half of one, unless somebody keeps the old one open on Windows: then it is written in
 * place. @returns why it could not be written, `undefined` when it was
 */
export function writeWhole(path: string, content: unknown): NodeJS.ErrnoException | undefined {
  const draft = `${path}.${process.pid}.${threadId}.tmp`;
  const text = JSON.stringify(content);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, text, { mode: 0o600 });
    try {
      patiently(() => renameSync(draft, path));
    } catch {
      writeFileSync(path, text, { mode: 0o600 });
      remove(draft);
    }
    return undefined;
  } catch (error) {
    remove(draft);
    return error as NodeJS.ErrnoException;
  }
}

/** Removes a file if it is there. @returns whether it is gone */
export function remove(path: string): boolean {
  try {
    patiently(() => unlinkSync(path));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** Tries again what is refused because the file is in use, on Windows: elsewhere that is final. */
function patiently(action: () => void): void {
  for (const pauseMs of process.platform === "win32" ? PAUSES_MS : []) {
    try {
      action();
      return;
    } catch (error) {
      if (!IN_USE.has((error as NodeJS.ErrnoException).code)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
  action();
}
