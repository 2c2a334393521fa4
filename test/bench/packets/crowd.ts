/** Many players on one core, and players in a flood of junk. */
import type { BenchRow } from "../row.ts";
import type { FloodReport } from "./flooder.ts";
import type { HostReport } from "./host.ts";
import { Part } from "./part.ts";
import type { PlayersReport } from "./players.ts";

const part = (name: string, priority: number): Part => new Part(new URL(`./${name}.ts`, import.meta.url), priority);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const HZ = 60;
const CROWD = 1000;
const CROWD_SECONDS = 8;

export async function crowd(): Promise<BenchRow> {
  using host = part("host", 2);
  using first = part("players", 1);
  using second = part("players", 1);
  const half = CROWD / 2;
  for (const players of [first, second]) await players.call("join", await host.call<string[]>("tokens", half));
  await host.call("start", { hz: HZ, bytes: 200 });
  for (const players of [first, second]) await players.call("start", { hz: HZ, bytes: 64, echo: false });
  await sleep(2000);
  for (const each of [host, first, second]) await each.call("begin");
  await sleep(CROWD_SECONDS * 1000);
  const report = await host.call<HostReport>("end");
  const players = [await first.call<PlayersReport>("end"), await second.call<PlayersReport>("end")];
  const share = report.cpuMicros / 1e6 / report.seconds;
  const perSecond = (count: number): string => (count / report.seconds).toFixed(0);
  const late = report.late / report.ticks;
  const sent = players.reduce((sum, each) => sum + each.sent, 0);
  const heard = players.reduce((sum, each) => sum + each.received, 0);
  return {
    what: `${CROWD} players at ${HZ} Hz both ways, encrypted, on one core`,
    value: `${(share * 100).toFixed(0)} % CPU, ${(late * 100).toFixed(1)} % of ticks late`,
    target: "< 100 % CPU, <= 1 % late",
    met: share < 1 && late <= 0.01 && report.received >= 0.98 * sent,
    detail:
      `${perSecond(report.ticks)} ticks a second; players sent ${perSecond(sent)} messages a second, the server heard ` +
      `${perSecond(report.received)}; it sent ${perSecond(report.ticks * CROWD)}, they heard ${perSecond(heard)}; the players are two ` +
      "processes on the same machine, which cost more than the server; late = begun half a tick after its time",
  };
}

const PLAYERS = 20;
const PHASE_SECONDS = 4;
const REPLY_RATIO = 0.31;

const quantile = (sorted: number[], q: number): number =>
  sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)] ?? Number.NaN;

export async function flood(): Promise<BenchRow[]> {
  // The players are elsewhere, as it were: neither the server's work nor the flooder's is to delay what they do themselves.
  using host = part("host", 2);
  using players = part("players", 3);
  // It never rests, and Linux stops all real-time processes of a processor for 50 ms in each second in which they do not.
  using flooder = part("flooder", 0);
  const port = await host.call<number>("port");
  await players.call("join", await host.call<string[]>("tokens", PLAYERS));
  const tokens = await host.call<string[]>("tokens", 200);
  await host.call("start", { hz: HZ, bytes: 200 });
  await players.call("start", { hz: HZ, bytes: 64, echo: true });

  await host.call("begin");
  const full = await flooder.call<FloodReport>("flood", { port, rate: 0, seconds: 2, tokens });
  const limit = (await host.call<HostReport>("end")).datagramsIn / 2;

  const calm: number[] = [];
  const flooded: number[] = [];
  const heaps: number[] = [];
  let reports: FloodReport | undefined;
  let cpu = 0;
  for (let round = 0; round < 3; round++) {
    await host.call("begin");
    await players.call("begin");
    await sleep(PHASE_SECONDS * 1000);
    calm.push(...(await players.call<PlayersReport>("end")).roundTrips);
    heaps.push((await host.call<HostReport>("end")).heapUsed);
    await host.call("begin");
    await players.call("begin");
    const seconds = PHASE_SECONDS;
    reports = await flooder.call<FloodReport>("flood", { port, rate: limit / 2, seconds, tokens });
    flooded.push(...(await players.call<PlayersReport>("end")).roundTrips);
    const report = await host.call<HostReport>("end");
    heaps.push(report.heapUsed);
    cpu = report.cpuMicros / 1e6 / report.seconds;
  }
  for (const list of [calm, flooded]) list.sort((a, b) => a - b);
  const [before, during] = [quantile(calm, 0.99), quantile(flooded, 0.99)];
  const growth = (heaps.at(-1) ?? 0) - (heaps[1] ?? 0);
  const ratio = (reports?.replyBytes ?? 0) / (reports?.requestBytes ?? 1);
  const rate = (reports?.sent ?? 0) / PHASE_SECONDS;
  return [
    {
      what: "flood of junk at half the socket's limit: players' p99",
      value: `${(during / before).toFixed(2)} x (${during.toFixed(2)} to ${before.toFixed(2)} ms)`,
      target: "<= 2 x",
      met: during <= 2 * before,
      detail:
        `round trip of ${PLAYERS} players' reliable messages at ${HZ} Hz, calm and flooded in turn; limit ${limit.toFixed(0)} ` +
        `datagrams a second (${(full.sent / 2).toFixed(0)} were sent), flood ${rate.toFixed(0)}; server's CPU ${(cpu * 100).toFixed(0)} %`,
    },
    {
      what: "flood of junk: the server's heap",
      value: `${(growth / 1024).toFixed(0)} KiB more after three floods`,
      target: "flat: <= 1 MiB",
      met: growth <= 1 << 20,
      detail: "after a garbage collection, between the first flood and the third",
    },
    {
      what: "flood of junk: reply bytes to authentic requests' bytes",
      value: ratio.toFixed(3),
      target: `<= ${REPLY_RATIO}`,
      met: ratio > 0 && ratio <= REPLY_RATIO,
      detail: `all other junk is answered with nothing; to the bytes of the whole flood ${((reports?.replyBytes ?? 0) / (reports?.bytes ?? 1)).toFixed(3)}`,
    },
  ];
}
