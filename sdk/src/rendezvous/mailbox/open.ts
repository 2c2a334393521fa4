/** Finds the mailbox that a lobby's address names, and loads only what that one needs. */
import { RendezvousError } from "../wire/errors.ts";
import type { LobbyMailbox, LobbyOptions } from "./lobby.ts";
import { parseLobbyUrl } from "./lobby-url.ts";
import type { Mailbox } from "./mailbox.ts";

/**
 * @param lobby the lobby's URL
 * @throws RendezvousError `invalid` for no URL, `missing-package` where Colyseus' client is not installed, `unreachable`
 */
export async function openMailbox(lobby: string, options: LobbyOptions = {}): Promise<Mailbox> {
  const url = parseLobbyUrl(lobby);
  const Lobby = await loadLobby();
  return new Lobby((await options.locate?.(url)) ?? url, options);
}

/** A lobby is a Colyseus server, and Colyseus' client is an optional package: it is asked for only here. */
async function loadLobby(): Promise<typeof LobbyMailbox> {
  try {
    return (await import("./lobby.ts")).LobbyMailbox;
  } catch (error) {
    if (isMissing(error)) {
      throw new RendezvousError(
        "missing-package",
        "To reach a lobby, Colyseus' client is needed: npm install @colyseus/sdk",
        { cause: error },
      );
    }
    // A page loads this file when it is needed, over its network.
    throw new RendezvousError("unreachable", "What speaks with lobbies could not be loaded.", { cause: error });
  }
}

/** Node's `Cannot find package '@colyseus/sdk' imported from …`. */
function isMissing(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === "ERR_MODULE_NOT_FOUND" && String(message).includes("@colyseus/sdk");
}
