/** What a host says while it runs: JSON lines for programs, sentences for people. */
import type { Reachability } from "sallyport";
import { style } from "../cli/style.ts";

export type HostEvent =
  | { event: "listening"; port: number }
  | ({ event: "reachability" } & Reachability)
  | { event: "invite"; code: string; url: string }
  | { event: "lobby"; state: "lost" | "failed"; reason: string; retryInMs?: number }
  | { event: "joined"; player: string; players: number }
  | { event: "left"; player: string; players: number };

/** With the milliseconds since the host began. */
export type TimedHostEvent = HostEvent & { ms: number };

const MARKS = { ok: "✓", refused: "✗", absent: "–", failed: "✗", skipped: "–" } as const;

type Describers = { [Name in HostEvent["event"]]: (event: Extract<HostEvent, { event: Name }>) => string[] };

const DESCRIBERS: Describers = {
  listening: ({ port }) => [`Arena on port ${port}; looking for a way in …`],
  reachability: ({ verdict, summary, steps }) => [
    `${style("bold", verdict)}: ${summary}`,
    ...steps.map(({ step, outcome, ms, reason }) => {
      const line = `  ${MARKS[outcome]} ${step.padEnd(10)} ${`${Math.round(ms)} ms`.padStart(8)}  ${reason}`;
      return outcome === "ok" ? style("green", line) : style("dim", line);
    }),
  ],
  invite: ({ code, url }) => [
    `Invite ${style(["bold", "cyan"], code)}   ${url}`,
    `  Another terminal joins with: npm run join -- '${url}'`,
  ],
  lobby: ({ state, reason }) => [style("yellow", `${state === "lost" ? "No lobby for now" : "No lobby"}: ${reason}`)],
  joined: ({ player, players }) => [`→ ${player} came in (${players} playing)`],
  left: ({ player, players }) => [`← ${player} left (${players} playing)`],
};

/** As lines for a terminal. */
export function describe(event: HostEvent): string[] {
  return (DESCRIBERS[event.event] as (event: HostEvent) => string[])(event);
}
