/** The player's side: from an invite to the host's endpoints. */
import { RendezvousError } from "./errors.ts";
import { parseInvite } from "./invite.ts";
import { enterLobby } from "./lobby-client.ts";
import { type HostMessage, parseHostMessage, RENDEZVOUS_ROOM } from "./protocol.ts";

export interface ResolveOptions {
  /** The lobby's URL: needed for a bare code, overruled by the one in a link. */
  lobby?: string | undefined;
  signal?: AbortSignal | undefined;
  /** For the whole exchange. Default 10 000. */
  timeoutMs?: number;
  /** Default `rendezvous`. */
  roomName?: string;
}

export interface ResolvedInvite extends HostMessage {
  /** `K7Q2-9FXM` */
  code: string;
  /** The lobby that answered. */
  lobby: string;
}

/**
 * Asks the lobby for the host that has this invite.
 * @param codeOrUrl `K7Q2-9FXM` in any case, with or without its dash, or the invite's link.
 * @throws RendezvousError
 */
export async function resolveInvite(codeOrUrl: string, options: ResolveOptions = {}): Promise<ResolvedInvite> {
  const invite = parseInvite(codeOrUrl.trim());
  if (invite === undefined) {
    throw new RendezvousError(
      "invalid-invite",
      `"${codeOrUrl.slice(0, 80)}" is no invite. One looks like K7Q2-9FXM, or is a link that ends so.`,
    );
  }
  const lobby = invite.lobby ?? options.lobby;
  if (lobby === undefined) {
    throw new RendezvousError("no-lobby", "A code alone does not say which lobby to ask. Give the lobby's URL too.");
  }
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  const room = await enterLobby({
    lobby,
    roomName: options.roomName ?? RENDEZVOUS_ROOM,
    method: "join",
    options: { invite: invite.code },
    timeoutMs,
    signal: options.signal,
  });

  try {
    const message = await new Promise<unknown>((resolve, reject) => {
      room.onMessage("*", (type, payload: unknown) => {
        if (type === "host") resolve(payload);
      });
      room.onLeave((code) => reject(new RendezvousError("unreachable", `The lobby ended the connection (${code}).`)));
      room.onError((code, reason) => reject(new RendezvousError("refused", reason ?? `The lobby refused (${code}).`)));
      const onAbort = (): void => {
        const aborted = options.signal?.aborted === true;
        reject(
          aborted
            ? new RendezvousError("aborted", "Given up by the caller.", { cause: signal.reason })
            : new RendezvousError("unreachable", `The lobby ${lobby} did not answer within ${timeoutMs} ms.`),
        );
      };
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
    });
    return { code: invite.code, lobby, ...parseHostMessage(message) };
  } finally {
    room.connection.close();
  }
}
