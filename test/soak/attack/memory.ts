// Preloaded into a program (`node --import`): at SIGUSR2 it collects its garbage and prints what it holds, as a JSON line.
import { readdirSync } from "node:fs";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Memory extends Record<string, unknown> {
  event: "memory";
  /** Bytes of the heap's objects and of what they own outside, after the collection. */
  heap: number;
  external: number;
  /** Of compiled code, which grows for hours as V8 compiles what is used more often. */
  code: number;
  rss: number;
  descriptors: number;
}

/** Where V8 keeps compiled code and what belongs to it. */
const OF_CODE = /code|trusted/;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

process.on("SIGUSR2", () => {
  // Finalizers of the first collection let go of more.
  collect();
  setImmediate(() => {
    collect();
    const { external, rss } = process.memoryUsage();
    let [heap, code] = [0, 0];
    for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics()) {
      if (OF_CODE.test(name)) code += used;
      else heap += used;
    }
    const descriptors = readdirSync("/proc/self/fd").length;
    const memory: Memory = { event: "memory", heap, external, code, rss, descriptors };
    process.stdout.write(`${JSON.stringify(memory)}\n`);
  });
});
