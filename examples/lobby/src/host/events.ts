/** What a host says while it runs: JSON lines for programs, sentences for people. */
import type { Reachability } from "sallyport";
import { style } from "../cli/style.ts";

export type HostEvent =
  /** `page` is the link to the host's own page, with its key. */
  | { event: "listening"; port: number; page: string }
  | { event: "lan"; addresses: string[]; problem: string }
  | ({ event: "reachability" } & Reachability)
  | { event: "invite"; code: string; url: string }
  | { event: "lobby"; state: "lost" | "failed"; reason: string; retryInMs?: number }
  | { event: "joined" | "left"; player: string; players: number };

/** With the milliseconds since the host began. */
export type TimedHostEvent = HostEvent & { ms: number };

const MARKS = { ok: "✓", refused: "✗", absent: "–", failed: "✗", skipped: "–" } as const;

/** Makes sentences of events, and says nothing twice: reachability comes again with each thing learnt. */
export class Narrator {
  #said = new Set<string>();

  /** As lines for a terminal. */
  describe(event: HostEvent): string[] {
    switch (event.event) {
      case "listening":
        return [
          `Arena on port ${event.port}; looking for a way in …`,
          `Your page, for this machine's browser: ${style("cyan", event.page)}`,
        ];
      case "lan":
        return event.addresses.length > 0
          ? ["Players on the same network find it by themselves: npm run join -- lan"]
          : [style("dim", `Not announced on the local network: ${event.problem}`)];
      case "reachability":
        return this.#reachability(event);
      case "invite":
        return [
          // A link of no page is for programs.
          `Invite ${style(["bold", "cyan"], event.code)}${/^https?:/.test(event.url) ? `   ${event.url}` : ""}`,
          `  Another terminal joins with: npm run join -- "${event.url}"`,
        ];
      case "lobby":
        return [style("yellow", `${event.state === "lost" ? "No lobby for now" : "No lobby"}: ${event.reason}`)];
      case "joined":
      case "left":
        return [`${event.event === "joined" ? "→ in " : "← out"} ${event.player} (${event.players} playing)`];
      default:
        return [];
    }
  }

  #reachability({ verdict, summary, steps }: Reachability): string[] {
    const sentence = `${style("bold", verdict)}: ${summary}`;
    const lines = steps.map(({ step, outcome, ms, reason }) => {
      const line = `  ${MARKS[outcome]} ${step.padEnd(10)} ${`${Math.round(ms)} ms`.padStart(8)}  ${reason}`;
      return outcome === "ok" ? style("green", line) : style("dim", line);
    });
    const news = [...lines, sentence].filter((line) => !this.#said.has(line));
    this.#said = new Set([...lines, sentence]);
    return news;
  }
}
