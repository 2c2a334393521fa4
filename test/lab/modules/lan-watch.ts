// Watches the local network and prints a line for each thing that happens; ends on SIGTERM.
import { discoverLan } from "../../../sdk/src/lan/discover.ts";
import { type LanGame } from "../../../sdk/src/lan/listener.ts";

const caller = new AbortController();
process.on("SIGTERM", () => caller.abort());
const print = (event: string) => (game: LanGame) => console.log(JSON.stringify({ event, ...game }));
const searching = discoverLan({
  application: "lab",
  timeoutMs: Number.POSITIVE_INFINITY,
  signal: caller.signal,
  onGame: print("game"),
  onLost: print("lost"),
});
console.log(JSON.stringify({ event: "searching" }));
await searching;
