// Imported before a program: answers each line "memory" on standard input with what it holds after a forced collection, bytes.
import { createInterface } from "node:readline";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Memory {
  event: "memory";
  heapUsed: number;
  external: number;
  rss: number;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

createInterface(process.stdin).on("line", (line) => {
  if (line !== "memory") return;
  collect();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ event: "memory", heapUsed, external, rss } satisfies Memory)}\n`);
});
process.stdin.unref();
