/** Players' round trip while strangers attack, beside the calm one. The attacker has a share of the processors of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Host, Lab, type LabProcess } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { IdleArgs } from "../lab/modules/idle-connections.ts";
import type { SteererArgs } from "../lab/modules/steerer.ts";
import type { FloodArgs } from "../soak/attack/flood.ts";
import {
  addressesOf,
  GAME_PORT,
  gameUrl,
  inviteOf,
  LOBBY_PORT,
  lobbyUrl,
  startHost,
  startLobby,
} from "../soak/attack/programs.ts";
import type { RequestsArgs } from "../soak/attack/requests.ts";
import type { SeatsArgs } from "../soak/attack/seats.ts";
import { ControlGroup } from "./attack/control-group.ts";
import type { PlayersArgs, PlayersReport } from "./attack/players.ts";
import type { BenchRow } from "./row.ts";
import { makeUrgent } from "./urgent.ts";

const module = (path: string): URL => new URL(path, import.meta.url);
const PLAYERS = 8;
const ROUNDS = 3;
const WINDOW_MS = 6_000;
/** An attack has begun in earnest by then. */
const BEGUN_MS = 2_000;
/** What the attacker may have of the machine's cores. */
const CORES = 0.5;
const SOURCES = 32;
const FOR_EVER = 1e9;
const TARGET = 2;
/** A public address of the lab's where no machine is. */
const NOBODY = "11.0.250.2";

interface Street {
  home: Host;
  meeting: Host;
  stranger: Host;
  invite: string;
  from: string[];
}

type Attack = (street: Street) => LabProcess;

const toHost = ({ home }: Street) => ({ address: home.address, port: GAME_PORT });
const toLobby = ({ meeting }: Street) => ({ address: meeting.address, port: LOBBY_PORT });

/** The kinds of test/lab/attacks and of the soak. */
const ATTACKS: Readonly<Record<string, Attack>> = {
  "hostile datagrams, 8000/s from 32 addresses": (street) =>
    street.stranger.spawnModule(module("../soak/attack/flood.ts"), {
      url: gameUrl(street.home),
      address: street.home.address,
      ports: [GAME_PORT],
      count: FOR_EVER,
      perSecond: 8_000,
      from: street.from,
      seed: 1,
    } satisfies FloodArgs),
  "hostile HTTP and WebSocket requests": (street) =>
    street.stranger.spawnModule(module("../soak/attack/requests.ts"), {
      ...toHost(street),
      count: FOR_EVER,
      from: street.from,
      seed: 1,
      seat: { path: "/matchmake/joinOrCreate/arena", body: {} },
    } satisfies RequestsArgs),
  "600 idle connections": (street) =>
    street.stranger.spawnModule(module("../lab/modules/idle-connections.ts"), {
      ...toHost(street),
      connections: 600,
      from: street.from,
    } satisfies IdleArgs),
  "seats and rooms from one address": (street) =>
    street.stranger.spawnModule(module("../soak/attack/seats.ts"), {
      ...toHost(street),
      methods: ["joinOrCreate", "create"],
      room: "arena",
    } satisfies SeatsArgs),
  "codes guessed at the lobby, on the host's machine": (street) =>
    street.stranger.spawnModule(module("../soak/attack/seats.ts"), {
      ...toLobby(street),
      methods: ["join"],
      room: "rendezvous",
    } satisfies SeatsArgs),
  "an invited player who names others' addresses": (street) =>
    street.stranger.spawnModule(module("../lab/modules/steerer.ts"), {
      invite: street.invite,
      victim: NOBODY,
      by: "ice",
      symmetric: false,
      introductions: 4,
      seconds: 3_600,
    } satisfies SteererArgs),
};

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(`no NAT lab here: ${missing}`);
  const measured: BenchRow[] = [];
  for (const [name, attack] of Object.entries(ATTACKS)) measured.push(await measure(name, attack));
  return measured;
}

async function measure(name: string, attack: Attack): Promise<BenchRow> {
  await using lab = await Lab.create();
  using group = ControlGroup.make(CORES);
  const [home, friends, stranger] = await Promise.all([lab.host(), lab.host(), lab.host()]);
  await startLobby(home);
  const game = await startHost(home, lobbyUrl(home));
  const invite = await inviteOf(game);
  const street = { home, meeting: home, stranger, invite, from: await addressesOf(stranger, SOURCES) };
  const players = friends.spawnModule(module("./attack/players.ts"), {
    url: gameUrl(home),
    players: PLAYERS,
  } satisfies PlayersArgs);
  await players.waitForJson(({ event }) => event === "playing", 30_000);
  // Whatever else the machine does is not measured along.
  const isUrgent = [makeUrgent(game.pid, 2), makeUrgent(players.pid, 3)].every(Boolean);

  const [calm, attacked]: [number[], number[]] = [[], []];
  let lost = 0;
  for (let round = 0; round < ROUNDS; round++) {
    calm.push(...(await window(players)).roundTrips);
    const attacker = attack(street);
    group?.add(attacker.pid);
    await sleep(BEGUN_MS);
    const during = await window(players);
    attacked.push(...during.roundTrips);
    lost += during.lost;
    await attacker.stop(0);
  }
  const [before, during] = [calm, attacked].map(p99) as [number, number];
  return {
    what: `players' p99 under attack: ${name}`,
    value: `${(during / before).toFixed(2)} x (${during.toFixed(1)} to ${before.toFixed(1)} ms)`,
    target: `<= ${TARGET} x, nothing lost`,
    met: during <= TARGET * before && lost === 0 && !game.ended,
    detail:
      `round trip of ${PLAYERS} players' reliable messages, ${ROUNDS} windows of ${WINDOW_MS / 1000} s each, calm and attacked in turn; ` +
      `${lost} lost; the attacker: ${group?.kind ?? "no control group here, the system's priorities alone"}; host and players ` +
      (isUrgent ? "are real-time processes" : "are processes as any other"),
  };
}

async function window(players: LabProcess): Promise<PlayersReport> {
  players.write("begin\n");
  await sleep(WINDOW_MS);
  players.write("end\n");
  return await players.waitForJson<PlayersReport>(({ event }) => event === "measured", 30_000);
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * 0.99), sorted.length - 1)] ?? Number.NaN;
}
