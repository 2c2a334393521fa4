/** `npm run loadtest -- --players 50 --seconds 20 [--url http://localhost:2567]`: many players, and how it feels for them. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { type Arena, join } from "../client/join.ts";
import { Pilot } from "../client/pilot.ts";

const { values } = parseArgs({
  options: {
    url: { type: "string", default: `http://localhost:${process.env.PORT || 2567}` },
    players: { type: "string", default: "20" },
    seconds: { type: "string", default: "10" },
  },
});
const count = Number(values.players);
const seconds = Number(values.seconds);

const began = performance.now();
const joined = await Promise.allSettled(
  Array.from({ length: count }, (_, i) => join(values.url, { name: `Load ${i + 1}` })),
);
const rooms: Arena[] = [];
const failures = new Set<string>();
for (const result of joined) {
  if (result.status === "fulfilled") rooms.push(result.value);
  else failures.add(result.reason instanceof Error ? result.reason.message : String(result.reason));
}
console.log(`${rooms.length} of ${count} players in after ${Math.round(performance.now() - began)} ms`);
for (const failure of failures) console.error(failure);

// A client that is too busy to listen would measure itself.
const own = monitorEventLoopDelay({ resolution: 5 });
own.enable();
const roundTrips: number[] = [];
let lost = 0;
const pilots = rooms.map((room) => new Pilot(room));
for (const room of rooms) {
  room.onMessage("*", () => {});
  room.onLeave((code) => {
    if (code !== 4000) lost++;
  });
}
const moving = setInterval(() => {
  const angle = performance.now() / 700;
  for (const pilot of pilots) pilot.frame(() => ({ x: 100 * Math.cos(angle), y: 100 * Math.sin(angle) }));
}, 1000 / 60);
const measuring = setInterval(() => {
  for (const room of rooms) if (room.connection.isOpen) room.ping((ms) => roundTrips.push(ms));
}, 500);
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
clearInterval(moving);
clearInterval(measuring);

roundTrips.sort((a, b) => a - b);
const percentile = (share: number): number =>
  Math.round(roundTrips[Math.floor(share * (roundTrips.length - 1))] ?? Number.NaN);
console.log(`Round trip ${percentile(0.5)} ms (p50), ${percentile(0.99)} ms (p99), ${roundTrips.length} measured`);
console.log(
  `${lost} of ${rooms.length} players lost; this program itself was late by ${Math.round(own.max / 1e6)} ms at most`,
);
await Promise.allSettled(rooms.map((room) => room.leave()));
process.exit(rooms.length === count && lost === 0 ? 0 : 1);
