import type { Verdict } from "../../../connectivity/reachability.ts";
import type { PlayerConnection } from "./diagnostics.ts";
import type { Players, Traffic } from "./players.ts";

export interface Distribution {
  p50: number;
  p99: number;
  max: number;
}

/** What `transport.metrics()` says: gauges of now, and counters since the start of the process. */
export interface TransportMetrics {
  /** By path. */
  players: Record<PlayerConnection["path"], number>;
  /** Of the UDP players, ms; null while there is none. */
  rttMs: Distribution | null;
  /** Share of packets lost on the way to UDP players, 0-1; null while there is none. */
  loss: Distribution | null;
  /** Over UDP, netcode's and channel's overhead included, IP's not. */
  traffic: Traffic;
  handshakes: {
    /** Connect tokens given. */
    granted: number;
    /** Connections that stood, of both kinds. */
    opened: number;
  };
  refusals: {
    /** TCP connections that were closed to keep within limits, by reason. */
    connections: Record<string, number>;
    /** Requests that did not get as far as Colyseus, by HTTP status. */
    requests: Record<string, number>;
    /** Connect tokens that were not given, by HTTP status. */
    tokens: Record<string, number>;
  };
  /** Null with `connectivity: false`. */
  reachability: { verdict: Verdict; mapped: boolean; expiresAt: number } | null;
  publicAddress: string | null;
}

export class Counter {
  readonly counts: Record<string, number> = {};

  add(key: string | number): void {
    this.counts[key] = (this.counts[key] ?? 0) + 1;
  }
}

export function describePlayers(players: Players): Pick<TransportMetrics, "players" | "rttMs" | "loss" | "traffic"> {
  const all = players.list();
  const byPath = { direct: 0, punched: 0, relayed: 0, websocket: 0 };
  for (const { path } of all) byPath[path]++;
  return {
    players: byPath,
    rttMs: distribution(all.flatMap(({ rttMs }) => rttMs ?? [])),
    loss: distribution(all.flatMap(({ loss }) => loss ?? [])),
    traffic: players.traffic(),
  };
}

export function distribution(values: number[]): Distribution | null {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** `transport.metrics()` in Prometheus' text format (version 0.0.4), for a route of the game's server. */
export function formatPrometheus(metrics: TransportMetrics): string {
  const { players, rttMs, loss, traffic, handshakes, refusals, reachability } = metrics;
  const lines: string[] = [];
  const write = (
    name: string,
    type: "gauge" | "counter",
    help: string,
    samples: [labels: string, value: number][],
  ): void => {
    if (samples.length === 0) return;
    lines.push(`# HELP sallyport_${name} ${help}`, `# TYPE sallyport_${name} ${type}`);
    for (const [labels, value] of samples) lines.push(`sallyport_${name}${labels} ${value}`);
  };
  const quantiles = (d: Distribution | null, unit = 1): [string, number][] =>
    d
      ? [
          ['{quantile="0.5"}', d.p50 / unit],
          ['{quantile="0.99"}', d.p99 / unit],
          ['{quantile="1"}', d.max / unit],
        ]
      : [];
  const by = (label: string, counts: Record<string, number>): [string, number][] =>
    Object.entries(counts).map(([key, count]) => [`{${label}="${key}"}`, count]);
  const { bytesIn, bytesOut, packetsIn, packetsOut, packetsLost } = traffic;

  write("players", "gauge", "Players connected, by path.", by("path", players));
  write("rtt_seconds", "gauge", "Round-trip time of UDP players.", quantiles(rttMs, 1000));
  write("loss_ratio", "gauge", "Share of packets to UDP players that were lost.", quantiles(loss));
  write("bytes_total", "counter", "Bytes over UDP.", by("direction", { in: bytesIn, out: bytesOut }));
  write("packets_total", "counter", "Packets over UDP.", by("direction", { in: packetsIn, out: packetsOut }));
  write("packets_lost_total", "counter", "Packets to UDP players that were lost.", [["", packetsLost]]);
  write("connect_tokens_total", "counter", "Connect tokens given.", [["", handshakes.granted]]);
  write("connections_total", "counter", "Player connections that stood.", [["", handshakes.opened]]);
  write(
    "refused_connections_total",
    "counter",
    "TCP connections closed to keep within limits, by reason.",
    by("reason", refusals.connections),
  );
  write(
    "refused_requests_total",
    "counter",
    "Requests kept from Colyseus, by HTTP status.",
    by("status", refusals.requests),
  );
  write("refused_tokens_total", "counter", "Connect tokens not given, by HTTP status.", by("status", refusals.tokens));
  if (reachability) {
    write("reachable", "gauge", "1 for the verdict that holds.", [[`{verdict="${reachability.verdict}"}`, 1]]);
    write("port_mapped", "gauge", "Whether a router forwards the port.", [["", reachability.mapped ? 1 : 0]]);
  }
  return `${lines.join("\n")}\n`;
}
