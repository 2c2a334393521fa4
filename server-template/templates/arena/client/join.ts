/** The way into a game, by an invite or by its URL. */
import { SallyportClient, type SallyportRoom } from "sallyport/client";
import { firstReachable, parseInvite } from "sallyport/rendezvous";
import type { ArenaRoom } from "../src/rooms/ArenaRoom.ts";

export type Arena = SallyportRoom<ArenaRoom, ArenaRoom["state"]>;

export interface JoinOptions {
  name: string;
  /** To ask about an invite that is a bare code. */
  lobby?: string | undefined;
  /** Gives the join up. */
  signal?: AbortSignal;
}

/** @param target `K7Q2-9FXM`, the invite's link, or `http://203.0.113.7:2567` */
export async function join(target: string, { name, lobby, signal }: JoinOptions): Promise<Arena> {
  const isUrl = parseInvite(target) === undefined && /^https?:/.test(target);
  const client = isUrl
    ? new SallyportClient(await firstReachable([target.replace(/\/+$/, "")], { signal }))
    : await SallyportClient.fromInvite(target, { lobby, ...(signal && { signal }) });
  const room: Arena = await client.joinOrCreate<ArenaRoom>("arena", { name });
  // The welcome comes first, the state after it.
  await new Promise((resolve) => room.onStateChange.once(resolve));
  return room;
}
