/** Latency on a path that loses packets, beside `ws`, in the lab of network namespaces. */
import { removeLeftovers } from "../lab/lab/cleanup.ts";
import { prepare } from "../lab/lab/prepare.ts";
import { measureLatency, PLAYERS } from "../lab/latency.ts";
import type { BenchRow } from "./row.ts";
import { makeUrgent } from "./urgent.ts";

const SECONDS = 20;
const ms = (value: number): string => value.toFixed(1);

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing) {
    return [{ what: "latency at 0, 2 and 5 % loss", value: "not measured", target: "", met: false, detail: missing }];
  }
  const result: BenchRow[] = [];
  for (const loss of [0, 2, 5]) {
    const { reliable, unreliable, ws } = await measureLatency(loss, SECONDS, makeUrgent);
    const whole = reliable.missing + reliable.doubled + reliable.reordered === 0;
    const table = Object.entries({ reliable, unreliable, ws })
      .map(([kind, { p50, p99, p999 }]) => `${kind} ${ms(p50)} / ${ms(p99)} / ${ms(p999)}`)
      .join(", ");
    result.push({
      what: `reliable messages one way at ${loss} % loss each way (lab)`,
      value: `p99 ${ms(reliable.p99)} ms, p99.9 ${ms(reliable.p999)} ms; ws ${ms(ws.p99)}, ${ms(ws.p999)}`,
      target: "p99 <= 20 ms, p99.9 <= 40 ms",
      met: whole && reliable.p99 <= 20 && reliable.p999 <= 40,
      detail:
        `${PLAYERS} players, 60 Hz, 200 B, both ways, all at once; p50 / p99 / p99.9 in ms: ${table}; of ` +
        `${reliable.delays.length} reliable messages ${reliable.missing} lost, ${reliable.doubled} doubled, ${reliable.reordered} out of order; ` +
        `${unreliable.missing} unreliable ones lost`,
    });
  }
  removeLeftovers();
  return result;
}
