import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import type { Clock } from "../../net/clock.ts";
import { sleep } from "../../net/wait.ts";
import { remove } from "./files.ts";
import { isAlive, type Owner, self, showPresence } from "./owner.ts";
import { Turns } from "./turns.ts";

/** Between two looks at a lock that another process holds. */
const LOCK_POLL_MS = 15;
/** Windows refuses a name while a lock that was removed is still open somewhere. All else that is refused stays refused. */
const MAX_REFUSALS = process.platform === "win32" ? 20 : 0;
/** No making of a mapping takes longer: then the lock is ignored. */
const LOCK_TIMEOUT_MS = 30_000;

const turns = new Turns();

/**
 * A lock among all processes of this user on this machine that use the same `directory` and `name`. Without a state directory
 * only this process takes turns.
 * @throws the signal's reason
 */
export async function lock(directory: string, name: string, clock: Clock, signal: AbortSignal): Promise<Disposable> {
  const path = join(directory, `lock-${encodeURIComponent(name)}`);
  const turn = await turns.take(path);
  let isHeld = false;
  let presence: Disposable | undefined;
  const unlock = (): void => {
    if (isHeld) release(path);
    isHeld = false;
    presence?.[Symbol.dispose]();
    turn[Symbol.dispose]();
  };
  try {
    signal.throwIfAborted();
    presence = showPresence(directory);
    isHeld = await acquire(path, directory, clock, signal);
    signal.throwIfAborted();
  } catch (error) {
    unlock();
    throw error;
  }
  return { [Symbol.dispose]: unlock };
}

async function acquire(path: string, directory: string, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const until = clock.now() + LOCK_TIMEOUT_MS;
  const draft = `${path}.${self.pid}.${threadId}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(draft, JSON.stringify(self), { mode: 0o600 });
  } catch {
    // Without a state directory no other process can see a lock.
    return false;
  }
  try {
    let refusals = 0;
    while (!signal.aborted && clock.now() < until) {
      try {
        // A link appears with its content or not at all.
        linkSync(draft, path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" && refusals++ >= MAX_REFUSALS) return false;
      }
      if (!breakStale(path)) await sleep(LOCK_POLL_MS, signal, clock);
    }
    return false;
  } finally {
    remove(draft);
  }
}

/** Removes a dead process' lock. It is moved aside first: of two who try, one succeeds, and looks again at what it moved. */
function breakStale(path: string): boolean {
  const holder = readOwner(path);
  if (holder === undefined || isAlive(holder, path)) return false;
  const aside = `${path}.${self.pid}.${threadId}.stale`;
  try {
    renameSync(path, aside);
    const moved = readOwner(aside);
    // Another process was quicker and this is its lock: put it back.
    if (moved && isAlive(moved, aside)) linkSync(aside, path);
    unlinkSync(aside);
    return true;
  } catch {
    return false;
  }
}

function release(path: string): void {
  const holder = readOwner(path);
  if (holder?.pid === self.pid && holder.start === self.start) remove(path);
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
