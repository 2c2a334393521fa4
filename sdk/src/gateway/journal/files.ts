import { mkdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

/** Readers see the old file or the new one, never half of one. Failure is ignored: without a state directory nothing is kept. */
export function writeWhole(path: string, content: unknown): void {
  const draft = `${path}.${process.pid}.${threadId}.tmp`;
  try {
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
    writeFileSync(draft, JSON.stringify(content), { mode: 0o600 });
    renameSync(draft, path);
  } catch {
    remove(draft);
  }
}

/** Removes a file if it is there. */
export function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already, or must not be removed.
  }
}
