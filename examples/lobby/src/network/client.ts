/** A player's way to a host. */
import { ErrorCode, MatchMakeError } from "@colyseus/sdk";
import {
  type NetworkPreset,
  type PathKind,
  type RelayForOthers,
  SallyportClient,
  type SallyportRoom,
} from "sallyport/client";
import { invitesFromEnvironment, parseJoinTarget } from "sallyport/rendezvous";
import type { ArenaRoom } from "../arena/room.ts";
import { Failure } from "../cli/program.ts";
import { APPLICATION, DEFAULT_GAME_PORT } from "./application.ts";

export type ArenaSession = SallyportRoom<ArenaRoom, ArenaRoom["state"]>;

export interface Joined {
  room: ArenaSession;
  /** As it is now. */
  path(): { kind: PathKind; remote: string; reason: string };
  /** Changes to a better path so far. */
  upgrades(): number;
  leave(): Promise<void>;
}

export interface JoinOptions {
  lobby: string;
  name: string;
  /** A bad line, for trying the game out. */
  line?: NetworkPreset | undefined;
  /** Relays for others of the game, where this computer can. */
  relayForOthers?: RelayForOthers | undefined;
  signal: AbortSignal;
}

const BEST_FIRST: readonly PathKind[] = ["direct", "punched", "relayed", "websocket", "none"];

/** The word for "whoever hosts on this network", in place of an invite or a URL. */
export const LAN = "lan";
const LAN_TIMEOUT_MS = 5000;

/** @throws RendezvousError, Failure, and what Colyseus' client throws */
export async function joinGame(target: string, options: JoinOptions): Promise<Joined> {
  const { name, signal } = options;
  const client = await clientFor(target, options);
  const room = await client
    .joinOrCreate<ArenaRoom>("arena", { name }, undefined, { signal })
    .catch((error: unknown) => explain(error, target));
  let upgrades = 0;
  let kind = room.path.kind;
  room.onPathChange((path) => {
    if (BEST_FIRST.indexOf(path.kind) < BEST_FIRST.indexOf(kind)) upgrades++;
    kind = path.kind;
  });
  return { room, path: () => room.path, upgrades: () => upgrades, leave: () => leave(room) };
}

async function clientFor(
  target: string,
  { lobby, line, relayForOthers, signal }: JoinOptions,
): Promise<SallyportClient> {
  const conditions = { conditions: line, ...(relayForOthers && { relayForOthers }) };
  const settings = invitesFromEnvironment();
  const isLan = target === LAN;
  const goal = parseJoinTarget(target, { port: DEFAULT_GAME_PORT });
  if (settings.relayOnly && (isLan || goal.kind === "url")) {
    throw new Failure(
      "SALLYPORT_RELAY_ONLY hides your address, which an address shows to its host: join by an invite.",
    );
  }
  if (isLan) return new SallyportClient(await firstOnLan(signal), conditions);
  if (goal.kind === "mistake") throw new Failure(goal.mistake.message);
  if (goal.kind === "url") return new SallyportClient(goal.url, conditions);
  return await SallyportClient.fromInvite(goal.invite, { ...settings, lobby, signal, ...conditions });
}

async function firstOnLan(signal: AbortSignal): Promise<string> {
  const search = { application: APPLICATION, timeoutMs: LAN_TIMEOUT_MS, signal };
  for await (const { url } of SallyportClient.discoverEach(search)) return url;
  throw new Failure(
    "No game was found on this network. Is the host on the same Wi-Fi or cable, not on its guest network? Firewalls must let UDP port 28772 in.",
  );
}

/** @throws Failure for what answers and has no arena */
function explain(error: unknown, target: string): never {
  const isElsewhere = error instanceof MatchMakeError && error.code === ErrorCode.MATCHMAKE_NO_HANDLER;
  if (!isElsewhere) throw error;
  throw new Failure(
    `${target} answers, and no arena is played there: it may be a lobby, or another game. Give the invite or the URL that the host shows.`,
  );
}

/** Says goodbye, and does not wait long for the answer. */
async function leave(room: ArenaSession): Promise<void> {
  if (!room.connection.isOpen) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => resolve(), 1000);
  await Promise.race([room.leave(), late]);
  clearTimeout(timer);
}
