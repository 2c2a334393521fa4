/** The player's side: from an invite to the host's endpoints. */
import type { Room } from "@colyseus/sdk";
import { enterLobby } from "../mailbox/lobby.ts";
import { RendezvousError } from "../wire/errors.ts";
import { type ParsedInvite, parseInvite } from "../wire/invite.ts";
import { type HostMessage, parseHostMessage, RENDEZVOUS_ROOM } from "../wire/protocol.ts";

export interface ResolveOptions {
  /** The lobby's URL: needed for a bare code, overruled by the one in a link. */
  lobby?: string | undefined;
  signal?: AbortSignal | undefined;
  /** For the whole exchange. Default 10 000. */
  timeoutMs?: number;
  /** Default `rendezvous`. */
  roomName?: string;
}

export interface ResolvedInvite extends Omit<HostMessage, "key" | "verifier"> {
  /** `K7Q2-9FXM` */
  code: string;
  /** The lobby that answered. */
  lobby: string;
}

/**
 * Asks the lobby for the host that has this invite. It has endpoints only if the host lets the lobby show them; what the
 * lobby says is not proven. {@link introduce} does without either.
 * @param codeOrUrl `K7Q2-9FXM` in any case, with or without its dash, or the invite's link.
 * @throws RendezvousError
 */
export async function resolveInvite(codeOrUrl: string, options: ResolveOptions = {}): Promise<ResolvedInvite> {
  const { code, lobby } = askedInvite(codeOrUrl, options.lobby);
  const patience = patienceOf(lobby, options);
  let entered: Room | undefined;
  try {
    const room = await enterLobby({
      lobby,
      roomName: options.roomName ?? RENDEZVOUS_ROOM,
      method: "join",
      options: { invite: code },
      timeoutMs: patience.timeoutMs,
      signal: options.signal,
    });
    entered = room;
    const answer = new Promise<unknown>((resolve, reject) => {
      room.onMessage("*", (type, payload: unknown) => {
        if (type === "host") resolve(payload);
      });
      room.onLeave((left) => reject(new RendezvousError("unreachable", `The lobby ended the connection (${left}).`)));
      room.onError((error, reason) =>
        reject(new RendezvousError("refused", reason ?? `The lobby refused (${error}).`)),
      );
    });
    answer.catch(() => undefined);
    const { key: _key, verifier: _verifier, ...host } = parseHostMessage(await Promise.race([answer, patience.over]));
    return { code, lobby, ...host };
  } finally {
    patience.stop();
    entered?.connection.close();
  }
}

/** An invite and whom to ask for its host. */
export interface AskedInvite extends ParsedInvite {
  lobby: string;
}

/** @throws RendezvousError `invalid-invite`, `no-lobby` */
export function askedInvite(codeOrUrl: string, defaultLobby: string | undefined): AskedInvite {
  const invite = parseInvite(codeOrUrl.trim());
  if (invite === undefined) {
    throw new RendezvousError(
      "invalid-invite",
      `"${codeOrUrl.slice(0, 80)}" is no invite. One looks like K7Q2-9FXM, or is a whole link, up to its last character.`,
    );
  }
  const lobby = invite.lobby ?? defaultLobby;
  if (lobby === undefined) {
    throw new RendezvousError("no-lobby", "A code alone does not say which lobby to ask. Give the lobby's URL too.");
  }
  return { ...invite, lobby };
}

/** `over` is rejected when the time or the caller's patience has ended. Call `stop` in any case. */
export function patienceOf(
  lobby: string,
  { signal, timeoutMs = 10_000 }: ResolveOptions,
): { timeoutMs: number; over: Promise<never>; stop: () => void } {
  const { promise: over, reject } = Promise.withResolvers<never>();
  over.catch(() => undefined);
  const onAbort = (): void =>
    reject(new RendezvousError("aborted", "Given up by the caller.", { cause: signal?.reason }));
  const timer = setTimeout(() => {
    reject(new RendezvousError("unreachable", `The lobby ${lobby} did not answer within ${timeoutMs} ms.`));
  }, timeoutMs);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  return { timeoutMs, over, stop };
}
