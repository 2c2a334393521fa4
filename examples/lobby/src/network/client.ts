/** A player's way to a host. */
import {
  type NetworkPreset,
  type PathKind,
  type RelayForOthers,
  SallyportClient,
  type SallyportRoom,
} from "sallyport/client";
import { invitesFromEnvironment, parseInvite } from "sallyport/rendezvous";
import type { ArenaRoom } from "../arena/room.ts";
import { Failure } from "../cli/program.ts";
import { APPLICATION } from "./application.ts";

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
  const room = await client.joinOrCreate<ArenaRoom>("arena", { name }, undefined, { signal });
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
  const isUrl = parseInvite(target) === undefined && /^https?:\/\//.test(target);
  if (settings.relayOnly && (isUrl || target === LAN)) {
    throw new Failure(
      "SALLYPORT_RELAY_ONLY hides your address, which an address shows to its host: join by an invite.",
    );
  }
  if (target === LAN) return new SallyportClient(await firstOnLan(signal), conditions);
  if (isUrl) return new SallyportClient(target.replace(/\/+$/, ""), conditions);
  return await SallyportClient.fromInvite(target, { ...settings, lobby, signal, ...conditions });
}

async function firstOnLan(signal: AbortSignal): Promise<string> {
  const search = { application: APPLICATION, timeoutMs: LAN_TIMEOUT_MS, signal };
  for await (const { url } of SallyportClient.discoverEach(search)) return url;
  throw new Failure(
    "No game was found on this network. Is the host on the same Wi-Fi or cable, not on its guest network? Firewalls must let UDP port 28772 in.",
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
