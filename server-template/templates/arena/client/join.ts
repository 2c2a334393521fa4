/** The way into a game: by an invite, by its URL, or by looking around on the local network. */
import { type NetworkPreset, SallyportClient, type SallyportRoom } from "sallyport/client";
import { invitesFromEnvironment, parseInvite } from "sallyport/rendezvous";
import type { ArenaRoom } from "../src/rooms/ArenaRoom.ts";

export type Arena = SallyportRoom<ArenaRoom, ArenaRoom["state"]>;

export interface JoinOptions {
  name: string;
  /** To ask about an invite that is a bare code. */
  lobby?: string | undefined;
  /** A bad line, for trying the game out. */
  line?: NetworkPreset | undefined;
  /** Gives the join up. */
  signal?: AbortSignal;
}

/** @param target `K7Q2-9FXM-T3PD`, `K7Q2-9FXM` of a lobby, the invite's link, `http://203.0.113.7:2567`, or `lan`: whoever hosts on this network */
export async function join(target: string, { name, lobby, line, signal }: JoinOptions): Promise<Arena> {
  const settings = signal && { signal };
  const url = target === "lan" ? await firstOnLan(signal) : target.replace(/\/+$/, "");
  const isUrl = parseInvite(target) === undefined && /^https?:/.test(url);
  const conditions = { conditions: line };
  const invited = invitesFromEnvironment();
  if (isUrl && invited.relayOnly) throw new Error("SALLYPORT_RELAY_ONLY hides your address: join by an invite.");
  const client = isUrl
    ? new SallyportClient(url, conditions)
    : await SallyportClient.fromInvite(target, { ...invited, lobby, ...conditions, ...settings });
  const room: Arena = await client.joinOrCreate<ArenaRoom>("arena", { name }, undefined, settings);
  // The welcome comes first, the state after it.
  if (!room.state?.players?.has(room.sessionId)) await new Promise((resolve) => room.onStateChange.once(resolve));
  return room;
}

async function firstOnLan(signal?: AbortSignal): Promise<string> {
  // The same word as in src/app.config.ts.
  for await (const { url } of SallyportClient.discoverEach({ application: "my-game", timeoutMs: 5000, signal }))
    return url;
  throw new Error("No game was found on this network: is the host on the same one?");
}
