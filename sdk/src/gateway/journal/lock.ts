import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../net/clock.ts";
import { sleep } from "../../net/wait.ts";
import { isAlive, type Owner, self } from "./owner.ts";
import { Turns } from "./turns.ts";

/** Between two looks at a lock that another process holds. */
const LOCK_POLL_MS = 15;
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
  const unlock = (): void => {
    if (isHeld) release(path);
    isHeld = false;
    turn[Symbol.dispose]();
  };
  try {
    signal.throwIfAborted();
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
  const draft = `${path}.${self.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(draft, JSON.stringify(self), { mode: 0o600 });
  } catch {
    // Without a state directory no other process can see a lock.
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
      if (!breakStale(path)) await sleep(LOCK_POLL_MS, signal, clock);
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

/** Removes a dead process' lock. It is moved aside first: of two who try, one succeeds, and looks again at what it moved. */
function breakStale(path: string): boolean {
  const holder = readOwner(path);
  if (holder === undefined || isAlive(holder)) return false;
  const aside = `${path}.${self.pid}.stale`;
  try {
    renameSync(path, aside);
    const moved = readOwner(aside);
    // Another process was quicker and this is its lock: put it back.
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
