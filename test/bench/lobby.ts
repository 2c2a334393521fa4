/** Ten thousand hosts that wait at a lobby: of one process, and of four that share a Redis. `test/bench/lobby/plot.ts` draws it. */
import { hasRedis } from "../interop/redis.ts";
import { type Level, measureLobby, registrationsPerSecond } from "./lobby/measure.ts";
import type { BenchRow } from "./row.ts";

const HOSTS = 10_000;
const P99_MS = 250;

export async function rows(): Promise<BenchRow[]> {
  const found = [rowOf("one process", await measureLobby(1, [HOSTS]))];
  if (hasRedis) found.push(rowOf("four processes and Redis", await measureLobby(4, [HOSTS])));
  const perSecond = await registrationsPerSecond(200);
  found.push({
    what: "lobby, registrations with their slow hash",
    value: `${perSecond.toFixed(0)}/s`,
    target: "shown",
    met: true,
    detail: "one process; hosts hash on the same machine",
  });
  return found;
}

function rowOf(name: string, levels: readonly Level[]): BenchRow {
  const level = levels.at(-1);
  if (level === undefined) throw new Error("nothing was measured");
  const { hosts, megabytes, redisMegabytes, idleShare, busyShare, p50, p99, failed, lost } = level;
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  return {
    what: `lobby, ${hosts} waiting hosts, ${name}: an introduction`,
    value: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    target: `p99 <= ${P99_MS} ms, none fails`,
    met: p99 <= P99_MS && failed === 0 && lost === 0,
    detail:
      `20 a second; ${failed} failed, ${lost} hosts lost; ${megabytes.toFixed(0)} MB` +
      `${redisMegabytes > 0 ? ` and Redis ${redisMegabytes.toFixed(0)} MB` : ""}; of one core ${percent(idleShare)} while they wait, ` +
      `${percent(busyShare)} meanwhile; stood still for ${level.stalledMs.toFixed(0)} ms at most; the list of games ` +
      `${level.listMs.toFixed(0)} ms, ${(level.listBytes / 1e6).toFixed(1)} MB; hosts came at ${level.perSecond.toFixed(0)}/s`,
  };
}
