import {
  type AuthContext,
  type Client,
  type ClientPrivate,
  CloseCode,
  connectClientToRoom,
  debugAndPrintError,
  ErrorCode,
  isDevMode,
  type ServerError,
} from "@colyseus/core";
import { traceOf } from "../../../net/trace.ts";
import type { Admission } from "../admission/admission.ts";
import type { Caller } from "../admission/caller.ts";
import { localRoom } from "../admission/local-room.ts";

const trace = traceOf("colyseus");

/** What both kinds of players have: those over UDP and those over WebSocket. */
export interface JoiningClient extends Client, ClientPrivate {
  error(code: number, message?: string, callback?: () => void): void;
  /** Gives the connection up although the other side has not been heard to leave: its player came back on a new one. */
  supersede(): void;
}

export interface JoinOptions {
  /** Empty for a fresh seat. */
  reconnectionToken: string;
  skipHandshake: boolean;
  /** Learns which seats are taken, and by whom. */
  admission?: Admission | undefined;
  caller?: Caller | undefined;
}

/**
 * Takes a client into the room for which it holds a seat. One that may not enter is told why, then closed, with the codes that
 * Colyseus' own transports use.
 * @returns false where there was no seat
 */
export async function joinRoom(
  roomId: string,
  client: JoiningClient,
  context: AuthContext,
  { reconnectionToken, skipHandshake, admission, caller }: JoinOptions,
): Promise<boolean> {
  try {
    const room = localRoom(roomId);
    const { sessionId } = client;
    const token = reconnectionToken === "" ? undefined : reconnectionToken;
    if (admission && room?.hasReservedSeat(sessionId, token)) {
      admission.seatTaken({ roomId, sessionId }, performance.now());
      if (caller) client.ref.once("close", admission.playerCame(caller));
    }
    const stale = reconnectionToken === "" ? undefined : room?.clients.get(client.sessionId);
    const joined = connectClientToRoom(room, client, context, {
      // Colyseus tells a fresh seat from a kept one by whether there is a token at all.
      ...(reconnectionToken === "" ? {} : { reconnectionToken }),
      skipHandshake,
    });
    // The player is back before the loss of the old connection was noticed. The room waits for it to go; no need to let it wait.
    if (stale?.reconnectionToken === reconnectionToken) (stale as Partial<JoiningClient>).supersede?.();
    await joined;
    return true;
  } catch (error) {
    const { code = ErrorCode.APPLICATION_ERROR, message } = error as Partial<ServerError>;
    debugAndPrintError(error as Error);
    if (trace.on) trace.event("seat-refused", { roomId, code, reason: message });
    client.error(code, message ?? String(error), () => client.leave(refusalCode(reconnectionToken !== "")));
    return code !== ErrorCode.MATCHMAKE_EXPIRED;
  }
}

/** In devMode a client tries again: after a restart its seat may not have been restored yet. */
function refusalCode(reconnecting: boolean): number {
  if (!reconnecting) return CloseCode.WITH_ERROR;
  return isDevMode ? CloseCode.MAY_TRY_RECONNECT : CloseCode.FAILED_TO_RECONNECT;
}
