/** The player's side: from an invite to the host's endpoints. */
import type { GuestMailbox } from "../mailbox/mailbox.ts";
import { openMailbox } from "../mailbox/open.ts";
import { RendezvousError } from "../wire/errors.ts";
import { isPublicCode, type ParsedInvite, PUBLIC_LOBBY, parseInvite } from "../wire/invite.ts";
import { inviteMistake } from "../wire/join-target.ts";
import type { HostMessage } from "../wire/protocol.ts";

export interface ResolveOptions {
  /** The lobby's URL: needed for a bare code of eight characters, overruled by the one in a link. */
  lobby?: string | undefined;
  /** For an invite of `public`: relays in place of the package's list. Those that a whole link names come first. */
  relays?: readonly string[] | undefined;
  /** For an invite of `public`: STUN servers (`stun:HOST:PORT`) in place of the package's list. */
  stunServers?: readonly string[] | undefined;
  /** Gives up. */
  signal?: AbortSignal | undefined;
  /** For the whole exchange. Default 10 000. */
  timeoutMs?: number;
  /** Default `rendezvous`. */
  roomName?: string;
  /** Gives the URL that is dialed for the lobby's, on a network that reaches it by another address. Default: the lobby's own. */
  locate?: (lobby: string) => Promise<string>;
}

/** What a lobby tells of an invite's host. */
export interface ResolvedInvite extends Omit<HostMessage, "key" | "verifier" | "protocol"> {
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
  if (lobby === PUBLIC_LOBBY)
    throw new RendezvousError("refused", "Relays tell nothing of a host: introduce() asks it.");
  const patience = patienceOf(lobby, options);
  let entered: GuestMailbox | undefined;
  try {
    const mailbox = await Promise.race([openMailbox(lobby, options), patience.over]);
    entered = await mailbox.openGuest(code, patience);
    const answer = Promise.withResolvers<HostMessage>();
    answer.promise.catch(() => undefined);
    entered.onMessage((mail) => {
      if (mail.type === "host") answer.resolve(mail.host);
    });
    entered.onClosed(answer.reject);
    const { key: _key, verifier: _verifier, ...host } = await Promise.race([answer.promise, patience.over]);
    return { code, lobby, ...host };
  } finally {
    patience.stop();
    entered?.close();
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
    throw new RendezvousError("invalid-invite", inviteMistake(codeOrUrl).message);
  }
  const lobby = invite.lobby ?? defaultLobby;
  if (lobby === undefined || (lobby === PUBLIC_LOBBY && !isPublicCode(invite.code))) {
    throw new RendezvousError(
      "no-lobby",
      "A code of eight characters does not say which lobby to ask. Give the lobby's URL too.",
    );
  }
  return { ...invite, lobby };
}

export interface Patience {
  timeoutMs: number;
  signal: AbortSignal | undefined;
  /** Rejected when the time or the caller's patience has ended. */
  over: Promise<never>;
  /** To be called in any case. */
  stop: () => void;
}

export function patienceOf(lobby: string, { signal, timeoutMs = 10_000 }: ResolveOptions): Patience {
  const { promise: over, reject } = Promise.withResolvers<never>();
  over.catch(() => undefined);
  const onAbort = (): void =>
    reject(new RendezvousError("aborted", "Given up by the caller.", { cause: signal?.reason }));
  const timer = setTimeout(() => {
    const whom =
      lobby === PUBLIC_LOBBY ? "No host answered through public relays" : `The lobby ${lobby} did not answer`;
    reject(new RendezvousError("unreachable", `${whom} within ${timeoutMs} ms.`));
  }, timeoutMs);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  return { timeoutMs, signal, over, stop };
}
