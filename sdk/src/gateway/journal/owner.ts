import { readFileSync } from "node:fs";

/** A process, told apart from a later one that got the same number. */
export interface Owner {
  pid: number;
  /** Start time in the system's own units, `""` where the system does not tell. */
  start: string;
}

/** Field 22 of /proc/PID/stat: clock ticks since boot. The boot's id goes with it, since each boot counts from zero. */
function startOf(pid: number): string | undefined {
  if (process.platform !== "linux") return "";
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command's name is in brackets, and may contain spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return `${bootId()}-${fields[19] ?? ""}`;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
  } catch {
    return "";
  }
}

export const self: Owner = { pid: process.pid, start: startOf(process.pid) ?? "" };

/** Whether the process still runs. In doubt it does: then its entries and locks are left alone. */
export function isAlive({ pid, start }: Owner): boolean {
  if (pid === self.pid) return start === self.start;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const current = startOf(pid);
  return start === "" || current === undefined || current === "" || current === start;
}
