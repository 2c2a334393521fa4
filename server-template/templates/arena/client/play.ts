/**
 * `npm run play -- INVITE-OR-URL`: a player without a screen, who walks about, waves, and says how good the way is. `lan` in its place
 * joins whoever hosts on this network; nothing joins the server on this machine.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Arena, join } from "./join.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string", default: "Bot" },
    seconds: { type: "string", default: "10" },
    lobby: { type: "string", default: process.env.LOBBY_URL },
  },
});
const target = positionals[0] ?? `http://localhost:${process.env.PORT || 2567}`;
const seconds = Number(values.seconds);
if (!(seconds > 0)) {
  console.error("--seconds must be a number above 0.");
  process.exit(64);
}

let room: Arena;
try {
  room = await join(target, values);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
console.log(`In, ${room.path.kind} to ${room.path.remote}`);
room.onPathChange((path) => console.log(`Now ${path.kind} to ${path.remote}: ${path.reason}`));
room.onMessage("wave", ({ from }: { from: string }) =>
  console.log(`${room.state.players.get(from)?.name ?? from} waves`),
);

let n = 0;
const moving = setInterval(() => {
  const angle = performance.now() / 700;
  room.sendUnreliable("move", { n: ++n, x: Math.cos(angle), y: Math.sin(angle) });
}, 1000 / 20);
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
const { x, y } = room.state.players.get(room.sessionId) ?? { x: 0, y: 0 };
const { rttMs } = room.path;
console.log(
  `${reason} At ${Math.round(x)}, ${Math.round(y)}${rttMs === null ? "" : `, round trip ${Math.round(rttMs)} ms`}`,
);
if (room.connection.isOpen) await Promise.race([room.leave(), sleep(1000)]);
process.exit(0);
