import type { Distribution, TransportMetrics } from "./metrics.ts";

type Sample = [labels: string, value: number];
interface Metric {
  name: string;
  type: "gauge" | "counter";
  help: string;
  /** A metric without samples is left out. */
  samples: Sample[];
}

/** `transport.metrics()` in Prometheus' text format (version 0.0.4), for a route of the game's server. */
export function formatPrometheus(metrics: TransportMetrics): string {
  const lines: string[] = [];
  const all = [...playerMetrics(metrics), ...refusalMetrics(metrics), ...reachabilityMetrics(metrics)];
  for (const { name, type, help, samples } of all) {
    if (samples.length === 0) continue;
    lines.push(`# HELP sallyport_${name} ${help}`, `# TYPE sallyport_${name} ${type}`);
    for (const [labels, value] of samples) lines.push(`sallyport_${name}${labels} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

function playerMetrics({ players, rttMs, loss, traffic, handshakes }: TransportMetrics): Metric[] {
  const { bytesIn, bytesOut, packetsIn, packetsOut, packetsLost } = traffic;
  return [
    gauge("players", "Players connected, by path.", by("path", players)),
    gauge("rtt_seconds", "Round-trip time of UDP players.", quantiles(rttMs, 1000)),
    gauge("loss_ratio", "Share of packets to UDP players that were lost.", quantiles(loss)),
    counter("bytes_total", "Bytes over UDP.", by("direction", { in: bytesIn, out: bytesOut })),
    counter("packets_total", "Packets over UDP.", by("direction", { in: packetsIn, out: packetsOut })),
    counter("packets_lost_total", "Packets to UDP players that were lost.", [["", packetsLost]]),
    counter("connect_tokens_total", "Connect tokens given.", [["", handshakes.granted]]),
    counter("connections_total", "Player connections that stood.", [["", handshakes.opened]]),
  ];
}

function refusalMetrics({ refusals: { connections, requests, tokens } }: TransportMetrics): Metric[] {
  return [
    counter(
      "refused_connections_total",
      "TCP connections closed to keep within limits, by reason.",
      by("reason", connections),
    ),
    counter("refused_requests_total", "Requests kept from Colyseus, by HTTP status.", by("status", requests)),
    counter("refused_tokens_total", "Connect tokens not given, by HTTP status.", by("status", tokens)),
  ];
}

function reachabilityMetrics({ reachability }: TransportMetrics): Metric[] {
  if (!reachability) return [];
  return [
    gauge("reachable", "1 for the verdict that holds.", [[`{verdict="${reachability.verdict}"}`, 1]]),
    gauge("port_mapped", "Whether a router forwards the port.", [["", reachability.mapped ? 1 : 0]]),
  ];
}

function gauge(name: string, help: string, samples: Sample[]): Metric {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: Sample[]): Metric {
  return { name, type: "counter", help, samples };
}

/** @param unit how many of the distribution's unit make one of Prometheus' base unit */
function quantiles(distribution: Distribution | null, unit = 1): Sample[] {
  if (!distribution) return [];
  const { p50, p99, max } = distribution;
  return [
    ['{quantile="0.5"}', p50 / unit],
    ['{quantile="0.99"}', p99 / unit],
    ['{quantile="1"}', max / unit],
  ];
}

function by(label: string, counts: Record<string, number>): Sample[] {
  return Object.entries(counts).map(([key, count]) => [`{${label}="${key}"}`, count]);
}
