import { execFileSync } from "node:child_process";

/**
 * Gives a process the scheduler's real-time class where that is allowed (root, util-linux): whatever else the machine does is
 * then not measured along. Of two such processes the one with the higher priority (1-99) goes first. @returns whether it was
 */
export function makeUrgent(pid: number | undefined, priority = 1): boolean {
  if (pid === undefined) return false;
  try {
    execFileSync("chrt", ["--all-tasks", "--rr", "--pid", String(priority), String(pid)], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
