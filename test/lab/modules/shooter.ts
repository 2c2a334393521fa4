// A player of the arena who walks to and fro and shoots at the other one: where it sees that one, or beside it. Says for each shot
// whether the room came to the same judgement.
import { SallyportClient } from "sallyport/client";
import {
  aimAt,
  DRONE_RADIUS,
  FIELD,
  hitDistance,
  INPUTS_PER_SHOT,
  PLAYER_RADIUS,
  REACH,
} from "../../../examples/lobby/src/arena/rules.js";
import type { Shot } from "../../../examples/lobby/src/arena/state.ts";
import { firstState, Pilot, type Wish } from "../../../examples/lobby/src/join/pilot.ts";
import type { ArenaSession } from "../../../examples/lobby/src/network/client.ts";

export interface ShooterReport {
  path: string;
  /** Shots that the room judged. */
  judged: number;
  /** Of those, the ones that it judged as the shooter saw them. */
  agreed: number;
  /** Of those that were seen to hit, and of those that were seen to miss, how many did. */
  hits: { seen: number; judged: number };
  misses: { seen: number; judged: number };
  corrections: number;
  rttMs: number;
}

const { url, shots } = JSON.parse(process.argv[2] ?? "{}") as { url: string; shots: number };
const FRAME_MS = 1000 / 60;
const TURN_MS = 400;
/** Clocks and buffers settle. */
const SETTLE_MS = 3000;
/** A player's radius has one side that is hit and one that is not: no shot is aimed so near to it that a pixel decides. */
const CLEAR_HIT = 0.6 * PLAYER_RADIUS;
const CLEAR_MISS = 1.5 * PLAYER_RADIUS;

const client = new SallyportClient(url, { udpTimeoutMs: 20_000 });
const room = (await client.joinOrCreate("arena", { name: "Shooter" })) as unknown as ArenaSession;
await firstState(room);
const pilot = new Pilot(room);
/** By the angle, which no two shots have in common. */
const expected = new Map<number, boolean>();
const report: ShooterReport = {
  path: room.path.kind,
  judged: 0,
  agreed: 0,
  hits: { seen: 0, judged: 0 },
  misses: { seen: 0, judged: 0 },
  corrections: 0,
  rttMs: 0,
};
const done = Promise.withResolvers<void>();
room.onMessage("pong", () => {});
room.onMessage("shot", ({ by, aim, hit }: Shot) => {
  const wanted = expected.get(aim);
  if (by !== room.sessionId || wanted === undefined) return;
  expected.delete(aim);
  const isHit = room.state.players.has(hit);
  report.judged++;
  if (isHit === wanted) report.agreed++;
  const kind = wanted ? report.hits : report.misses;
  kind.seen++;
  if (isHit === wanted) kind.judged++;
  if (report.judged === shots) done.resolve();
});

const beganAt = performance.now();
let turnAt = 0;
let sinceShot = 0;
let going = { x: 0, y: 0 };
let asked = 0;

function wish(): Wish {
  const now = performance.now();
  if (now > turnAt) {
    turnAt = now + TURN_MS * (0.5 + Math.random());
    const angle = Math.random() * 2 * Math.PI;
    // Towards the middle, more or less, so that the two stay within reach of each other.
    const { x, y } = pilot.own;
    going = {
      x: 100 * Math.cos(angle) + 0.3 * (FIELD.width / 2 - x),
      y: 100 * Math.sin(angle) + 0.3 * (FIELD.height / 2 - y),
    };
  }
  const { x, y } = { x: clamp(going.x), y: clamp(going.y) };
  const aim = ++sinceShot > INPUTS_PER_SHOT + 3 && now - beganAt > SETTLE_MS ? aimed() : undefined;
  if (aim === undefined) return { x, y };
  sinceShot = 0;
  return { x, y, aim, fire: true };
}

const clamp = (value: number): number => Math.min(100, Math.max(-100, value));

/** An angle at which it is plain to see whether the shot hits; undefined where there is none just now. */
function aimed(): number | undefined {
  const [other] = [...room.state.players].filter(([id]) => id !== room.sessionId).map(([, player]) => player);
  if (other === undefined) return undefined;
  const { own } = pilot;
  const place = pilot.seen(other);
  const distance = Math.hypot(place.x - own.x, place.y - own.y);
  if (distance < 4 * PLAYER_RADIUS || distance > REACH - 3 * PLAYER_RADIUS) return undefined;
  const hits = asked++ % 2 === 0;
  const beside = hits ? CLEAR_HIT * Math.random() : CLEAR_MISS + PLAYER_RADIUS * Math.random();
  const side = Math.random() < 0.5 ? -1 : 1;
  const across = { x: -(place.y - own.y) / distance, y: (place.x - own.x) / distance };
  const target = { x: place.x + side * beside * across.x, y: place.y + side * beside * across.y };
  const aim = aimAt(own, target);
  // A drone in the way would be hit instead.
  for (const drone of room.state.drones.values()) {
    if (hitDistance(own, aim, pilot.seen(drone), 3 * DRONE_RADIUS) !== undefined) return undefined;
  }
  if (expected.has(aim)) return undefined;
  expected.set(aim, hits);
  return aim;
}

const frame = setInterval(() => pilot.frame(performance.now(), wish), FRAME_MS);
await done.promise;
// The other one goes on shooting at us.
process.stdout.write(
  `${JSON.stringify({ event: "report", ...report, corrections: pilot.corrections, rttMs: room.path.rttMs ?? 0 })}\n`,
);
process.stdin.once("data", () => {
  clearInterval(frame);
  void room.leave().then(() => process.exit(0));
});
