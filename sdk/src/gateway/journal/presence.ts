/** How other processes see that one still runs, where the system tells no more of a process than its number. */
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { remove } from "./files.ts";

/**
 * Flags of open(2) by which the system itself lets go of a file when its process ends in whatever way: libuv's UV_FS_O_EXLOCK on
 * Windows (nobody else may open it), the BSDs' O_EXLOCK and O_SHLOCK (flock(2), sys/fcntl.h), with which macOS agrees.
 */
const EXCLUSIVE: Partial<Record<NodeJS.Platform, number>> = {
  win32: 0x1000_0000,
  darwin: 0x20,
  freebsd: 0x20,
  openbsd: 0x20,
  netbsd: 0x20,
};
const SHARED: Partial<Record<NodeJS.Platform, number>> = { darwin: 0x10, freebsd: 0x10, openbsd: 0x10, netbsd: 0x10 };
const NONBLOCK = process.platform === "win32" ? 0 : constants.O_NONBLOCK;

/** A file that the system lets go of when this thread ends. */
export class Presence {
  readonly #path: string;
  #descriptor: number | undefined;
  #holders = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Others see us until the result is disposed of. Without a state directory, or without such locks in it, nobody does. */
  show(): Disposable {
    if (this.#holders++ === 0) this.#open();
    let isShown = true;
    return {
      [Symbol.dispose]: () => {
        if (isShown && --this.#holders === 0) this.#close();
        isShown = false;
      },
    };
  }

  #open(): void {
    const flag = EXCLUSIVE[process.platform];
    if (flag === undefined) return;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      this.#descriptor = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | NONBLOCK | flag, 0o600);
    } catch {
      // The journal says that the directory cannot be written.
    }
  }

  #close(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    remove(this.#path);
  }
}

/** Whether the thread that showed itself there still runs; `undefined` when it cannot be told. */
export function isPresent(path: string): boolean | undefined {
  try {
    closeSync(openSync(path, constants.O_RDONLY | NONBLOCK | (SHARED[process.platform] ?? 0)));
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // On Windows, on the BSDs. All else tells nothing: it is not there, or another user's.
    return code === "EBUSY" || code === "EAGAIN" ? true : undefined;
  }
}
