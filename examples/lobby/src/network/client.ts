/** A player's way to a host. */
import { type PathKind, SallyportClient, type SallyportRoom } from "sallyport/client";
import { firstReachable, parseInvite } from "sallyport/rendezvous";
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
  const client = await clientFor(target, lobby, signal);
  const room = await client.joinOrCreate<ArenaRoom>("arena", { name }, undefined, { signal });
  let upgrades = 0;
  let kind = room.path.kind;
  room.onPathChange((path) => {
    if (BEST_FIRST.indexOf(path.kind) < BEST_FIRST.indexOf(kind)) upgrades++;
    kind = path.kind;
  });
  return { room, path: () => room.path, upgrades: () => upgrades, leave: () => leave(room) };
}

async function clientFor(target: string, lobby: string, signal: AbortSignal): Promise<SallyportClient> {
  const isUrl = parseInvite(target) === undefined && /^https?:\/\//.test(target);
  if (!isUrl) return await SallyportClient.fromInvite(target, { lobby, signal });
  return new SallyportClient(await firstReachable([target.replace(/\/+$/, "")], { signal }));
}

/** Says goodbye, and does not wait long for the answer. */
async function leave(room: ArenaSession): Promise<void> {
  if (!room.connection.isOpen) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => resolve(), 1000);
  await Promise.race([room.leave(), late]);
  clearTimeout(timer);
}
