// Players of the arena, all in one process, who walk about and measure: after a line "begin" round trips are kept, and after a line "end"
// they are printed.
import { createInterface } from "node:readline";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { walkIn } from "../../soak/attack/walk.ts";

export interface PlayersArgs {
  url: string;
  players: number;
}

export interface PlayersReport extends Record<string, unknown> {
  event: "measured";
  /** ms, sorted. */
  roundTrips: number[];
  /** Asked and not answered within a second of the end. */
  lost: number;
}

const HZ = 20;
const DRAIN_MS = 1_000;

const { url, players } = JSON.parse(process.argv[2] ?? "{}") as PlayersArgs;
const client = new SallyportClient(url);
const rooms = await Promise.all(
  Array.from({ length: players }, () => client.joinOrCreate("arena", { name: "Player" })),
);
const sentAt = new Map<number, number>();
let roundTrips: number[] = [];
let isMeasuring = false;
let n = 0;
for (const room of rooms) {
  // The rows would call it loss.
  room.onLeave((code, reason) => {
    throw new Error(`A player was sent away: ${code} ${reason ?? ""}`);
  });
  room.onMessage("pong", ({ n: answered }: { n: number }) => {
    const at = sentAt.get(answered);
    if (at === undefined) return;
    sentAt.delete(answered);
    roundTrips.push(performance.now() - at);
  });
}
// Each at its own moment of the tick.
for (const [index, room] of rooms.entries()) {
  const walk = walkIn(room);
  setTimeout(
    () =>
      setInterval(() => {
        n++;
        if (isMeasuring) sentAt.set(n, performance.now());
        room.send("ping", { n });
        walk();
      }, 1000 / HZ),
    (index * 1000) / HZ / players,
  );
}
console.log(JSON.stringify({ event: "playing", paths: rooms.map(({ path }) => path.kind) }));

createInterface(process.stdin).on("line", (line) => {
  isMeasuring = line === "begin";
  if (isMeasuring) {
    roundTrips = [];
    sentAt.clear();
    return;
  }
  setTimeout(() => {
    const sorted = roundTrips.toSorted((a, b) => a - b);
    console.log(JSON.stringify({ event: "measured", roundTrips: sorted, lost: sentAt.size } satisfies PlayersReport));
  }, DRAIN_MS);
});
