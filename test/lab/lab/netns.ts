/**
 * Linux network namespaces: names, scripts inside them, removal.
 *
 * A name is `splab-PID-START-N-LABEL`: PID and START (the start time in clock ticks, base 36) say which process made it,
 * so a later lab knows what a dead one has left behind, even when the pid has been given to another process.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const NETNS_DIRECTORY = "/run/netns";
/** Files of a namespace that `ip netns exec` shows in place of those in /etc. */
export const ETC_DIRECTORY = "/etc/netns";
/** Begins the names of all labs of this process. */
export const PROCESS_PREFIX = `splab-${process.pid}-${startTime(process.pid)}`;

/** What all parts of one lab share. */
export interface LabContext {
  /** Begins the name of each namespace of this lab. */
  readonly prefix: string;
  /** Directory for files of daemons; removed with the lab. */
  readonly directory: string;
  /** Give addresses of IPv6 too? */
  readonly ipv6: boolean;
  /** What was started and has not ended. */
  readonly processes: Set<Killable>;
}

export interface Killable {
  kill(signal: NodeJS.Signals): boolean;
  readonly exited: Promise<unknown>;
}

let labsOfThisProcess = 0;

/** A prefix that no other lab on this machine has, and its temporary directory. */
export function newContext(ipv6: boolean): LabContext {
  const prefix = `${PROCESS_PREFIX}-${labsOfThisProcess++}`;
  const directory = join(tmpdir(), prefix);
  mkdirSync(directory, { mode: 0o755 });
  return { prefix, directory, ipv6, processes: new Set() };
}

/** Programs of a router stand in sbin, which is not in everybody's PATH. */
export function environment(extra: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  const inherited = { ...process.env };
  // What concerns only the test runner or the network outside.
  for (const name of Object.keys(inherited)) {
    if (name === "NODE_OPTIONS" || name.startsWith("VITEST") || /^(?:https?|all|no)_proxy$/i.test(name)) {
      delete inherited[name];
    }
  }
  return { ...inherited, LC_ALL: "C", PATH: `${inherited["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`, ...extra };
}

/** Runs a shell script, in a namespace if one is named, and gives its output. @throws what it said, if it failed. */
export async function shell(script: string, namespace?: string): Promise<string> {
  const command = namespace === undefined ? ["sh"] : ["nsenter", `--net=${NETNS_DIRECTORY}/${namespace}`, "sh"];
  const [program = "sh", ...before] = command;
  const child = spawn(program, [...before, "-e", "-s"], { stdio: "pipe", env: environment() });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {}); // the script failed before it was read whole: the exit code says so
  child.stdin.end(script);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) {
    throw new Error(`${namespace ?? "root namespace"}: script failed (${code}): ${stderr.trim()}\n${script}`);
  }
  return stdout;
}

/** Lines for `ip -batch`, as part of a shell script. */
export function ip(lines: readonly string[]): string {
  return `ip -batch - <<'END'\n${lines.join("\n")}\nEND\n`;
}

/** A ruleset for nftables, as part of a shell script. */
export function nft(rules: string): string {
  return `nft -f - <<'END'\n${rules}\nEND\n`;
}

/** Is the process (still, or already) in this namespace? A child of `ip netns exec` enters it shortly after its start. */
export function isInside(pid: number, namespace: string): boolean {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino === statSync(`${NETNS_DIRECTORY}/${namespace}`).ino;
  } catch {
    return false;
  }
}

/** Namespaces whose names begin with the prefix. */
export function namespaces(prefix: string): string[] {
  try {
    return readdirSync(NETNS_DIRECTORY).filter((name) => name.startsWith(`${prefix}-`));
  } catch {
    return []; // none was ever made on this machine
  }
}

/** Start time of a process in clock ticks since boot, base 36; undefined when there is no such process (or a zombie). */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name may contain blanks and brackets. After its closing bracket: field 3 (state) to field 22 (start).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[19]).toString(36);
  } catch {
    return undefined;
  }
}
