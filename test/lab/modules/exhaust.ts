// Preloaded into a program (`--import`). Between two SIGUSR2 the process has no descriptor left, and now and then one to three: whatever
// it asks of the system fails now here, now there.
import { closeSync, openSync } from "node:fs";

const CHANGE_MS = 40;
/** How many are free, in turn. */
const FREE = [0, 0, 0, 1, 0, 0, 2, 0, 0, 3] as const;

const held: number[] = [];
let timer: NodeJS.Timeout | undefined;
let step = 0;

function release(count: number): void {
  for (const descriptor of held.splice(0, count)) closeSync(descriptor);
}

function takeAll(): void {
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    // That was the last one.
  }
}

process.on("SIGUSR2", () => {
  if (timer !== undefined) {
    clearInterval(timer);
    timer = undefined;
    release(held.length);
    return;
  }
  timer = setInterval(() => {
    takeAll();
    release(FREE[step++ % FREE.length] ?? 0);
  }, CHANGE_MS).unref();
});
