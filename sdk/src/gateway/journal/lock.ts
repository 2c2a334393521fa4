import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../net/clock.ts";
import { sleep } from "../../net/wait.ts";
import { isAlive, type Owner, self } from "./owner.ts";

/** Between two looks at a lock that somebody else holds. */
const POLL = 15;
/** Longer than any making of a mapping: then the lock is not waited for any more. */
const PATIENCE = 30_000;

/** Chains of work in this process, by lock. */
const queues = new Map<string, Promise<unknown>>();

/** Runs `work` alone among all processes of this user on this machine that use `directory` and `name`. */
export async function exclusively<T>(
  directory: string,
  name: string,
  clock: Clock,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(directory, `lock-${encodeURIComponent(name)}`);
  const before = queues.get(path) ?? Promise.resolve();
  const turn = before.then(async () => {
    signal.throwIfAborted();
    const held = await acquire(path, directory, clock, signal);
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      if (held) release(path);
    }
  });
  const settled = turn.catch(() => undefined);
  queues.set(path, settled);
  try {
    return await turn;
  } finally {
    if (queues.get(path) === settled) queues.delete(path);
  }
}

async function acquire(path: string, directory: string, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const until = clock.now() + PATIENCE;
  const draft = `${path}.${self.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(draft, JSON.stringify(self), { mode: 0o600 });
  } catch {
    // Without a state directory there is nobody to be alone among.
    return false;
  }
  try {
    while (!signal.aborted && clock.now() < until) {
      try {
        // A link appears with its content or not at all.
        linkSync(draft, path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
      }
      if (!breakStale(path)) await sleep(POLL, signal, clock);
    }
    return false;
  } finally {
    try {
      unlinkSync(draft);
    } catch {
      // It is only a draft.
    }
  }
}

/** Takes a dead process' lock away. Moved aside first: of two who try, one moves, and it looks again at what it moved. */
function breakStale(path: string): boolean {
  const holder = readOwner(path);
  if (holder === undefined || isAlive(holder)) return false;
  const aside = `${path}.${self.pid}.stale`;
  try {
    renameSync(path, aside);
    const moved = readOwner(aside);
    // Somebody was quicker, and this is a living lock: put it back.
    if (moved && isAlive(moved)) linkSync(aside, path);
    unlinkSync(aside);
    return true;
  } catch {
    return false;
  }
}

function release(path: string): void {
  try {
    if (readOwner(path)?.pid === self.pid) unlinkSync(path);
  } catch {
    // Gone already.
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, "utf8")) as Partial<Owner>;
    return typeof owner.pid === "number" && typeof owner.start === "string"
      ? { pid: owner.pid, start: owner.start }
      : undefined;
  } catch {
    return undefined;
  }
}
