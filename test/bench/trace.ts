/** What a trace costs while nobody listens, and while somebody does. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { listenToTrace, traceOf } from "../../sdk/src/net/trace.ts";
import type { BenchRow } from "./row.ts";

const ROUNDS = 30;
/** In which code is compiled. */
const WARM_UP = 10;
const MESSAGES = 5_000;
const PROCESSES = 5;
const LOOKS = 10_000_000;

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const nanoseconds = (value: number): string => `${value.toFixed(1)} ns`;

/** Of one look at the flag, and of a loop without it. */
function look(): [withLook: number, without: number] {
  const trace = traceOf("session");
  let sum = 0;
  const time = (work: (i: number) => void): number => {
    const begun = process.hrtime.bigint();
    for (let i = 0; i < LOOKS; i++) work(i);
    return Number(process.hrtime.bigint() - begun) / LOOKS;
  };
  const looking = (i: number): void => {
    if (trace.on) trace.event("never");
    sum += i;
  };
  const idle = (i: number): void => {
    sum += i;
  };
  const times: [number, number][] = Array.from({ length: 9 }, () => [time(looking), time(idle)]);
  if (sum < 0) throw new Error("not reached");
  return [median(times.map(([each]) => each)), median(times.map(([, each]) => each))];
}

/** Of one event with three fields that somebody hears. */
function publish(): number {
  const stop = listenToTrace(["lan"], () => undefined);
  const trace = traceOf("lan");
  const remote = { address: "192.0.2.1", port: 7777 };
  const begun = process.hrtime.bigint();
  const count = 200_000;
  for (let i = 0; i < count; i++) if (trace.on) trace.event("measured", { remote, rttMs: i / 7, kind: "direct" });
  stop();
  return Number(process.hrtime.bigint() - begun) / count;
}

type Mode = "off" | "removed" | "on";

/** Nanoseconds for one message, of the least disturbed quarter of the rounds; of several processes the median, as each compiles anew. */
async function messages(): Promise<Record<Mode, number>> {
  const modes: readonly Mode[] = ["off", "removed", "on"];
  const runners = await Promise.all(
    Array.from({ length: PROCESSES }, () => modes)
      .flat()
      .map(async (mode) => {
        const child = fork(new URL("./trace/child.ts", import.meta.url), [mode, String(MESSAGES)]);
        await once(child, "message");
        return { mode, child, costs: [] as number[] };
      }),
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const { child, costs } of runners) {
      child.send(0);
      const [cost] = (await once(child, "message")) as [number];
      if (round >= WARM_UP) costs.push(cost);
    }
  }
  for (const { child } of runners) child.disconnect();
  const costOf = (mode: Mode): number =>
    median(
      runners
        .filter((runner) => runner.mode === mode)
        .map(({ costs }) => costs.toSorted((x, y) => x - y)[costs.length >> 2] ?? Number.NaN),
    );
  return { off: costOf("off"), removed: costOf("removed"), on: costOf("on") };
}

export async function rows(): Promise<BenchRow[]> {
  const [withLook, without] = look();
  const { off, removed, on } = await messages();
  const added = off - removed;
  const where = "one session's two ends in one process";
  return [
    {
      what: "trace: one look at the flag while nobody listens",
      value: nanoseconds(withLook - without),
      target: "<= 5 ns",
      met: withLook - without <= 5,
      detail: `${LOOKS} times; an event that is heard costs ${nanoseconds(publish())}`,
    },
    {
      what: "trace: a message's way through netcode and session, off less removed",
      value: `${nanoseconds(added)} of ${nanoseconds(removed)}`,
      target: "<= 3 %",
      met: added <= removed * 0.03,
      detail: `${where}, 200 B each way, ${PROCESSES} processes of each kind, interleaved; heard by somebody ${nanoseconds(on)}`,
    },
  ];
}
