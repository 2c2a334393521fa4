/** A player's way to a host. */
import { type PathKind, SallyportClient, type SallyportRoom } from "sallyport/client";
import { firstReachable, parseInvite, resolveInvite } from "sallyport/rendezvous";
import type { ArenaRoom } from "../arena/room.ts";

export type ArenaSession = SallyportRoom<ArenaRoom, ArenaRoom["state"]>;

export interface Joined {
  room: ArenaSession;
  /** As it is now. */
  path(): { kind: PathKind; remote: string };
  /** Changes to a better path so far. */
  upgrades(): number;
  leave(): Promise<void>;
}

export interface JoinOptions {
  lobby: string;
  name: string;
  signal: AbortSignal;
}

const BEST_FIRST: readonly PathKind[] = ["direct", "punched", "relayed", "websocket", "none"];

/** @throws RendezvousError, and what Colyseus' client throws */
export async function joinGame(target: string, { lobby, name, signal }: JoinOptions): Promise<Joined> {
  const client = new SallyportClient(await endpointOf(target, lobby, signal));
  const room = await client.joinOrCreate<ArenaRoom>("arena", { name }, undefined, { signal });
  let upgrades = 0;
  let kind = room.path.kind;
  room.onPathChange((path) => {
    if (BEST_FIRST.indexOf(path.kind) < BEST_FIRST.indexOf(kind)) upgrades++;
    kind = path.kind;
  });
  return { room, path: () => room.path, upgrades: () => upgrades, leave: () => leave(room) };
}

async function endpointOf(target: string, lobby: string, signal: AbortSignal): Promise<string> {
  const direct = parseInvite(target) === undefined && /^https?:\/\//.test(target);
  const endpoints = direct ? [target.replace(/\/+$/, "")] : (await resolveInvite(target, { lobby, signal })).endpoints;
  return await firstReachable(endpoints, { signal });
}

/** Says goodbye, and does not wait long for the answer. */
async function leave(room: ArenaSession): Promise<void> {
  if (!room.connection.isOpen) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => resolve(), 1000);
  await Promise.race([room.leave(), late]);
  clearTimeout(timer);
}
