import { readFileSync, statSync } from "node:fs";
import { uptime } from "node:os";
import { dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { isPresent, Presence } from "./presence.ts";

/** A process, or where the system does not tell when one began, a thread of one: told apart from a later one of the same number. */
export interface Owner {
  pid: number;
  /**
   * Linux: the boot, and the start time in the system's own units. Elsewhere when it began, ms in hexadecimal, and the thread.
   * `""` in what 0.1.0 wrote there.
   */
  start: string;
}

/** What a file of before the boot is older by, at least: clocks are set. */
const BOOT_TOLERANCE_MS = 60_000;

/** Field 22 of /proc/PID/stat: clock ticks since boot. The boot's id goes with it, since each boot counts from zero. */
function startOf(pid: number): string | undefined {
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

const hasProc = process.platform === "linux" || process.platform === "android";

export const self: Owner = {
  pid: process.pid,
  start: hasProc
    ? (startOf(process.pid) ?? "")
    : `${Math.round(Date.now() - process.uptime() * 1000).toString(16)}-${threadId}`,
};

/** Where an owner shows itself in a state directory, on systems other than Linux. */
export function presencePath(directory: string, { pid, start }: Owner): string {
  return join(directory, `alive-${pid}-${start || "0"}`);
}

const presences = new Map<string, Presence>();

/** Shows others that use this directory that we live, until it is disposed of or the process is gone. */
export function showPresence(directory: string): Disposable {
  let presence = presences.get(directory);
  if (!presence) presences.set(directory, (presence = new Presence(presencePath(directory, self))));
  return presence.show();
}

/**
 * Whether the owner of a file still runs. In doubt it does: then its entries and locks are left alone.
 * @param file what it wrote, in the directory in which it shows itself
 */
export function isAlive({ pid, start }: Owner, file: string): boolean {
  // Our number: without a start time it is from a process before us, with another one there it is from a thread of ours.
  if (pid === self.pid && (hasProc || start === "" || start === self.start)) return start === self.start;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (hasProc) {
    const current = startOf(pid);
    return start === "" || current === undefined || current === start;
  }
  return isPresent(presencePath(dirname(file), { pid, start })) ?? !isOfBeforeBoot(file);
}

/** All processes of before the boot are gone, whoever has their numbers now. */
function isOfBeforeBoot(file: string): boolean {
  try {
    return statSync(file).mtimeMs < Date.now() - uptime() * 1000 - BOOT_TOLERANCE_MS;
  } catch {
    return false;
  }
}
