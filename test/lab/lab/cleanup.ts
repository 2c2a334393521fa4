/** Nothing of a lab stays: neither after its disposal, nor when its process ends in whatever way. */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ETC_DIRECTORY,
  environment,
  type LabContext,
  NETNS_DIRECTORY,
  namespaces,
  PROCESS_PREFIX,
  startTime,
} from "./netns.ts";

/**
 * Waits until the process that made it is gone, which closes its input; then removes that one's labs. It has a
 * session of its own, so neither Ctrl-C nor a test runner that kills its workers with SIGKILL reaches it.
 */
const WATCHDOG = `
cat >/dev/null
for file in ${NETNS_DIRECTORY}/${PROCESS_PREFIX}-*; do
  [ -e "$file" ] || continue
  ip netns pids "\${file##*/}" | xargs -r kill -9
  ip netns del "\${file##*/}"
done
rm -rf "${tmpdir()}/${PROCESS_PREFIX}-"* "${ETC_DIRECTORY}/${PROCESS_PREFIX}-"*
`;

const living = new Set<LabContext>();
let watched = false;

/** Removes the lab when this process ends. */
export function removeAtEnd(context: LabContext): void {
  living.add(context);
  if (watched) return;
  watched = true;
  const stdio = ["pipe", "ignore", "ignore"] as const;
  const watchdog = spawn("sh", ["-c", WATCHDOG], { stdio: [...stdio], detached: true, env: environment() });
  watchdog.once("error", () => {}); // a machine without sh makes no lab either
  watchdog.unref();
  (watchdog.stdin as Socket | null)?.unref();
  // At a normal end, or after an uncaught exception, all is gone before the process is.
  process.on("exit", () => {
    for (const lab of living) removeContext(lab);
  });
}

/** Kills all that this lab has started, and removes it. Synchronous, since the last moment for it is the `exit` event. */
export function removeContext(context: LabContext): void {
  living.delete(context);
  // A child that has not yet entered its namespace would not be found there.
  for (const child of context.processes) child.kill("SIGKILL");
  removeLab(context.prefix);
}

/** Removes a lab, whosoever made it: kills what runs in its namespaces, by pid, then removes these and its directory. */
function removeLab(prefix: string): void {
  const names = namespaces(prefix);
  const killed = new Set<number>();
  // Again, until no new one is there: one that was about to start another may have done so.
  for (let pids = pidsInside(names); pids.length > 0; pids = pidsInside(names).filter((pid) => !killed.has(pid))) {
    for (const pid of pids) {
      killed.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ended by itself
      }
    }
  }
  if (names.length > 0) {
    const batch = names.map((name) => `netns del ${name}`).join("\n");
    // -force: another lab may be removing the same leftovers at this moment.
    spawnSync("ip", ["-force", "-batch", "-"], { input: batch, env: environment() });
  }
  rmSync(join(tmpdir(), prefix), { recursive: true, force: true });
  for (const name of filesOfNamespaces()) {
    if (name.startsWith(`${prefix}-`)) rmSync(join(ETC_DIRECTORY, name), { recursive: true, force: true });
  }
}

/** Removes what labs of dead processes have left behind. */
export function removeLeftovers(): void {
  const prefixes = new Set<string>();
  const made = /^splab-(\d+)-([0-9a-z]+)-\d+/;
  for (const name of [...namespaces("splab"), ...readdirSync(tmpdir()), ...filesOfNamespaces()]) {
    const [prefix, pid, start] = made.exec(name) ?? [];
    if (prefix !== undefined && startTime(Number(pid)) !== start) prefixes.add(prefix);
  }
  for (const prefix of prefixes) removeLab(prefix);
}

function filesOfNamespaces(): string[] {
  try {
    return readdirSync(ETC_DIRECTORY);
  } catch {
    return []; // no machine has had files of its own
  }
}

function pidsInside(names: readonly string[]): number[] {
  const inodes = new Set<number>();
  for (const name of names) {
    const inode = statSync(`${NETNS_DIRECTORY}/${name}`, { throwIfNoEntry: false })?.ino;
    if (inode !== undefined) inodes.add(inode);
  }
  if (inodes.size === 0) return [];
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return inodes.has(statSync(`/proc/${entry}/ns/net`).ino) ? [Number(entry)] : [];
    } catch {
      return []; // ended meanwhile
    }
  });
}
