import { readFileSync } from "node:fs";

/** Where the system does not tell: Windows has no such limit on sockets. */
const UNKNOWN = 16_384;

/**
 * How many files and sockets this process may have open at once (`ulimit -n`, RLIMIT_NOFILE). Node raises the soft limit to the
 * hard one when it starts, so this is what holds, whatever the shell says.
 */
export function descriptorLimit(): number {
  try {
    const text = process.platform === "linux" ? softLimitOf(readFileSync("/proc/self/limits", "latin1")) : reported();
    if (text === "unlimited") return Number.POSITIVE_INFINITY;
    const limit = Number(text);
    return Number.isInteger(limit) && limit > 0 ? limit : UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/** The soft limit in the text of Linux' /proc/PID/limits (proc_pid_limits(5)). */
export function softLimitOf(limits: string): string | undefined {
  return /^Max open files\s+(\S+)/m.exec(limits)?.[1];
}

/** As the diagnostic report has it: the one place where Node tells limits, and the same on macOS and the BSDs. */
function reported(): string | undefined {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const { excludeNetwork } = report;
  // It would look up the names of all peers.
  report.excludeNetwork = true;
  try {
    const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: string | number } } };
    return userLimits?.open_files?.soft?.toString();
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}
