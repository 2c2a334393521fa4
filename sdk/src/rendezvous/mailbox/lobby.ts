/** One attempt to come into a lobby's room, which ends when its time or its caller's patience does. */

import { ColyseusSDK, type Room } from "@colyseus/sdk";
import { messageOf } from "../../net/message-of.ts";
import { RendezvousError } from "../wire/errors.ts";

export interface EnterOptions {
  lobby: string;
  roomName: string;
  method: "join" | "joinOrCreate";
  options: Record<string, unknown>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** Colyseus' client gives no way to abandon a join: this keeps hold of the room that is being joined. */
class AbandonableSDK extends ColyseusSDK {
  joining: Room | undefined;

  protected override createRoom<T>(roomName: string, rootSchema?: new () => T): Room<unknown, T> {
    const room = super.createRoom(roomName, rootSchema) as Room<unknown, T>;
    this.joining = room as Room;
    return room;
  }
}

/** Checks and normalises a lobby's URL. @throws RendezvousError `invalid` */
export function parseLobbyUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new RendezvousError(
      "invalid",
      `The lobby's address must be a URL such as https://lobby.example, not ${text}`,
    );
  }
  return url.origin + url.pathname;
}

/** @throws RendezvousError */
export async function enterLobby(attempt: EnterOptions): Promise<Room> {
  const { lobby, timeoutMs } = attempt;
  const url = parseLobbyUrl(lobby);
  const patience = AbortSignal.timeout(timeoutMs);
  const signal = attempt.signal === undefined ? patience : AbortSignal.any([patience, attempt.signal]);
  const sdk = new AbandonableSDK(url, {
    fetchFn: (input, init) => fetch(input, { ...init, signal, redirect: "error" }),
  });

  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    reject(signal.reason);
    sdk.joining?.connection?.close();
  };
  gaveUp.catch(() => undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });

  const joining = sdk[attempt.method]<unknown>(attempt.roomName, attempt.options);
  joining.catch(() => undefined); // when it was given up, its own failure interests nobody
  try {
    const room = await Promise.race([joining, gaveUp]);
    // The SDK would reconnect by a token; hosts and players here come back by invite instead.
    room.reconnection.enabled = false;
    return room;
  } catch (error) {
    throw explain(error, attempt);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function explain(error: unknown, { lobby, signal, timeoutMs }: EnterOptions): RendezvousError {
  const cause = { cause: error };
  if (signal?.aborted === true) return new RendezvousError("aborted", "Given up by the caller.", cause);
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new RendezvousError("unreachable", `The lobby ${lobby} did not answer within ${timeoutMs} ms.`, cause);
  }
  const code: unknown = (error as { code?: unknown } | null)?.code;
  const message = messageOf(error);
  switch (code) {
    case 521: // MATCHMAKE_INVALID_CRITERIA
      return new RendezvousError(
        "unknown-invite",
        "No host has this invite. Was it mistyped, or has the host gone?",
        cause,
      );
    case 520: // MATCHMAKE_NO_HANDLER
      return new RendezvousError("refused", `The server at ${lobby} is no lobby: it has no rendezvous room.`, cause);
    case 429:
      return new RendezvousError("rate-limited", message, cause);
    case 400:
    case 403:
    case 507:
      return new RendezvousError("refused", message, cause);
    default:
      return new RendezvousError("unreachable", `The lobby ${lobby} cannot be reached: ${message}`, cause);
  }
}
