/** How the lobby is, in Prometheus' text format. */
import type { GameListing } from "sallyport/rendezvous";
import type { TurnRelayServer } from "sallyport/stun";

export function metricsOf(games: readonly GameListing[], turn: TurnRelayServer | undefined): string {
  const rows: [name: string, kind: "gauge" | "counter", help: string, value: number][] = [
    ["lobby_games", "gauge", "Games that are hosted now, on all processes.", games.length],
    ["lobby_players", "gauge", "Players in them, as hosts say.", games.reduce((sum, { players }) => sum + players, 0)],
    ["lobby_memory_bytes", "gauge", "Resident memory of this process.", process.memoryUsage.rss()],
  ];
  if (turn !== undefined) {
    const { datagrams, bytes, limited } = turn.counters;
    rows.push(
      ["turn_allocations", "gauge", "Players who are relayed now.", turn.allocations],
      ["turn_datagrams_total", "counter", "Datagrams that were relayed.", datagrams],
      ["turn_bytes_total", "counter", "Their bytes.", bytes],
      ["turn_limited_total", "counter", "Datagrams that a limit held back.", limited],
    );
  }
  return rows
    .map(([name, kind, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${name} ${value}\n`)
    .join("");
}
