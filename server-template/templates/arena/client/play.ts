/**
 * `npm run play -- INVITE-OR-URL`: a player without a screen, who walks about, tags and waves, and says how good the way is. `lan` in its place
 * joins whoever hosts on this network; nothing joins the server on this machine. `--line mobile`, `hotel-wifi` or `other-continent` is a bad
 * line, to see how that feels.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { networkPreset } from "sallyport/client";
import { type Arena, join } from "./join.ts";
import { Pilot } from "./pilot.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string", default: "Bot" },
    seconds: { type: "string", default: "10" },
    lobby: { type: "string", default: process.env.LOBBY_URL },
    line: { type: "string" },
  },
});
const target = positionals[0] ?? `http://localhost:${process.env.PORT || 2567}`;
const seconds = Number(values.seconds);
if (!(seconds > 0)) {
  console.error("--seconds must be a number above 0.");
  process.exit(64);
}

const line = values.line === undefined ? undefined : networkPreset(values.line);
if (values.line !== undefined && line === undefined) {
  console.error("--line must be mobile, hotel-wifi or other-continent.");
  process.exit(64);
}

let room: Arena;
try {
  room = await join(target, { ...values, line });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
console.log(`In, ${room.path.kind} to ${room.path.remote}`);
room.onPathChange((path) => console.log(`Now ${path.kind} to ${path.remote}: ${path.reason}`));
room.onMessage("wave", ({ from }: { from: string }) =>
  console.log(`${room.state.players.get(from)?.name ?? from} waves`),
);
room.onMessage("tagged", ({ by, who }: { by: string; who: string }) => {
  const [tagger, tagged] = [by, who].map((id) => room.state.players.get(id)?.name ?? id);
  console.log(`${tagger} tags ${tagged}`);
});

const pilot = new Pilot(room);
const moving = setInterval(() => {
  const angle = performance.now() / 700;
  pilot.frame(() => ({ x: 100 * Math.cos(angle), y: 100 * Math.sin(angle), tag: true }));
}, 1000 / 60);
const waving = setInterval(() => room.send("wave"), 2000);
room.send("wave");

const over = Promise.withResolvers<string>();
const timer = setTimeout(() => over.resolve("Time is up."), seconds * 1000);
// npm passes on what the terminal has sent already: a second one must not cut the goodbye short.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => over.resolve("Interrupted."));
room.onLeave((code) => over.resolve(`The server ended the game (${code}).`));
const reason = await over.promise;

clearInterval(moving);
clearInterval(waving);
clearTimeout(timer);
const { x, y } = pilot.own;
const { rttMs } = room.path;
console.log(
  `${reason} At ${Math.round(x)}, ${Math.round(y)}${rttMs === null ? "" : `, round trip ${Math.round(rttMs)} ms`}`,
);
if (room.connection.isOpen) await Promise.race([room.leave(), sleep(1000)]);
process.exit(0);
