// Preloaded into a program (`node --import`): at SIGUSR2 it collects its garbage and prints what it holds, as a JSON line.
import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Memory extends Record<string, unknown> {
  event: "memory";
  /** Bytes of heap and of what it owns outside, after the collection. */
  heap: number;
  external: number;
  rss: number;
  descriptors: number;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

process.on("SIGUSR2", () => {
  // Finalizers of the first collection let go of more.
  collect();
  setImmediate(() => {
    collect();
    const { heapUsed: heap, external, rss } = process.memoryUsage();
    const descriptors = readdirSync("/proc/self/fd").length;
    process.stdout.write(`${JSON.stringify({ event: "memory", heap, external, rss, descriptors } satisfies Memory)}\n`);
  });
});
