/** The design's latency table: 20 players, 60 Hz, 200 B, sessions and `ws` side by side behind a gateway that loses packets. */
import { Lab, type LabProcess } from "./lab/index.ts";
import {
  KINDS,
  type Kind,
  type KindReport,
  type PlayersArgs,
  type Report,
  type ServerArgs,
  WARM_UP_MESSAGES,
} from "./modules/latency.ts";

export const PLAYERS = 20;
const HZ = 60;
const PORT = 7777;
const MODULE = new URL("./modules/latency.ts", import.meta.url);

export interface Latency extends KindReport {
  p50: number;
  p99: number;
  p999: number;
}

/**
 * @param loss percent, each way
 * @param seconds of messages, after a warm-up that is not timed
 * @param began is told of both processes before they begin
 */
export async function measureLatency(
  loss: number,
  seconds: number,
  began: (pid: number) => void = () => undefined,
): Promise<Record<Kind, Latency>> {
  await using lab = await Lab.create();
  const gateway = await lab.gateway();
  const [home, host] = await Promise.all([gateway.host(), lab.host()]);
  const messages = WARM_UP_MESSAGES + seconds * HZ;
  const { address } = host;
  const server = host.spawnModule(MODULE, {
    role: "server",
    address,
    port: PORT,
    players: PLAYERS,
    messages,
  } satisfies ServerArgs);
  const { tokens } = await server.waitForJson<{ event: string; tokens: string[] }>(
    ({ event }) => event === "listening",
  );
  const args: PlayersArgs = { role: "players", address, port: PORT, tokens, messages };
  const players = home.spawnModule(MODULE, args);
  await players.waitForJson(({ event }) => event === "ready", 30_000);
  for (const each of [server, players]) began(each.pid);
  if (loss > 0) await gateway.setLoss(loss);
  for (const each of [server, players]) each.write("go\n");
  const wait = (each: LabProcess): Promise<Report & Record<string, unknown>> =>
    each.waitForJson(({ event }) => event === "report", seconds * 1000 + 60_000);
  const reports = await Promise.all([wait(server), wait(players)]);
  for (const each of [server, players]) each.write("end\n");
  const result: Partial<Record<Kind, Latency>> = {};
  for (const kind of KINDS) result[kind] = together(reports.map(({ kinds }) => kinds[kind]));
  return result as Record<Kind, Latency>;
}

function together(reports: KindReport[]): Latency {
  const delays = reports.flatMap((report) => report.delays).toSorted((a, b) => a - b);
  const sum = (of: (report: KindReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const quantile = (q: number): number => delays[Math.min(Math.floor(delays.length * q), delays.length - 1)] ?? NaN;
  return {
    delays,
    missing: sum(({ missing }) => missing),
    doubled: sum(({ doubled }) => doubled),
    reordered: sum(({ reordered }) => reordered),
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
  };
}
