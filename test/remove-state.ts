import { rmSync } from "node:fs";

/** Removes a state folder, but for what Windows keeps as long as this process has an entry in there that no router confirmed to be gone. */
export function removeState(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (process.platform !== "win32") throw error;
  }
}
