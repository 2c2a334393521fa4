import type { Reachability, Verdict } from "../../../connectivity/reachability.ts";
import type { PlayerConnection } from "./diagnostics.ts";
import type { Players, Traffic } from "./players.ts";
import type { RefusalCounts, Refusals } from "./refusals.ts";

/** How values are spread. */
export interface Distribution {
  /** The median. */
  p50: number;
  /** 99 of 100 values are no larger. */
  p99: number;
  /** The largest. */
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
  /** Connections over UDP and WebRTC since the start. */
  handshakes: {
    /** Connect tokens given. */
    granted: number;
    /** Connections that stood, of both kinds. */
    opened: number;
  };
  /** What was refused since the start. */
  refusals: RefusalCounts;
  /** Null with `connectivity: false`. */
  reachability: { verdict: Verdict; mapped: boolean; expiresAt: number } | null;
  /** `host:port` by which the fleet's other processes send players here; null while there is none. */
  publicAddress: string | null;
}

/** Where a transport's metrics come from. */
export interface MetricsSources {
  players: Players;
  refusals: Refusals;
  /** Connect tokens given. */
  granted: number;
  reachability: Reachability | undefined;
  publicAddress: string | undefined;
}

/** A snapshot for `transport.metrics()`. */
export function takeMetrics(sources: MetricsSources): TransportMetrics {
  const { players, refusals, granted, reachability, publicAddress = null } = sources;
  const all = players.list();
  const byPath = { direct: 0, punched: 0, relayed: 0, websocket: 0 };
  for (const { path } of all) byPath[path]++;
  return {
    players: byPath,
    rttMs: distribution(all.flatMap(({ rttMs }) => rttMs ?? [])),
    loss: distribution(all.flatMap(({ loss }) => loss ?? [])),
    traffic: players.traffic(),
    handshakes: { granted, opened: players.opened },
    refusals: refusals.counts,
    reachability: reachability ? describeReachability(reachability) : null,
    publicAddress,
  };
}

function describeReachability({ verdict, endpoints }: Reachability): TransportMetrics["reachability"] {
  const mapping = endpoints.find(({ kind, protocol }) => kind === "mapped" && protocol === "udp");
  return { verdict, mapped: mapping !== undefined, expiresAt: mapping?.expiresAt ?? 0 };
}

function distribution(values: number[]): Distribution | null {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) };
}
