// A contender in a process of its own. Each message from the parent, a number of ticks, is answered by what they cost.
import { getHeapStatistics } from "node:v8";
import type { Make, Shape } from "./contender.ts";

export interface Cost {
  /** User and system, of the whole process. */
  cpuMicros: number;
  heapBytes: number;
  messages: number;
  lost: number;
  datagrams: number;
}

const { module, name, shape } = JSON.parse(process.argv[2] ?? "{}") as { module: string; name: string; shape: Shape };
const make = ((await import(`./${module}.ts`)) as Record<string, Make>)[name];
if (!make) throw new Error(`no contender ${module}.${name}`);

const perTick = 2 * shape.peers * shape.messages;
/** Nothing on loopback takes so long: what has not come by then was lost. */
const GIVE_UP_MS = 500;
let arrivals = 0;
let wanted = Number.POSITIVE_INFINITY;
let done: () => void = () => undefined;

const contender = await make(shape, () => {
  if (++arrivals >= wanted) done();
});

async function tick(): Promise<number> {
  arrivals = 0;
  wanted = perTick;
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    done = resolve;
    timer = setTimeout(resolve, GIVE_UP_MS);
    contender.tick();
  });
  clearTimeout(timer);
  wanted = Number.POSITIVE_INFINITY;
  return arrivals;
}

async function measure(ticks: number): Promise<void> {
  const datagrams = contender.datagrams?.() ?? 0;
  const heap = getHeapStatistics().total_allocated_bytes;
  const before = process.cpuUsage();
  let messages = 0;
  for (let n = 0; n < ticks; n++) messages += await tick();
  const { user, system } = process.cpuUsage(before);
  const cost: Cost = {
    cpuMicros: user + system,
    heapBytes: getHeapStatistics().total_allocated_bytes - heap,
    messages,
    lost: ticks * perTick - messages,
    datagrams: (contender.datagrams?.() ?? 0) - datagrams,
  };
  process.send?.(cost);
}

process.on("message", (ticks: number) => void measure(ticks));
process.on("disconnect", () => process.exit());
process.send?.("ready");
