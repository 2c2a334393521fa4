import { type Client, CloseCode, debugAndPrintError, Room, ServerError } from "@colyseus/core";
import { replaceMethod } from "./methods.ts";

type Handler = (client: Client, ...rest: unknown[]) => unknown;

/**
 * Keeps what a player does from ending the process: a message handler that rejects closes its player, as one that throws does, and an
 * `onLeave` that fails is printed. With `onUncaughtException` a room hears of its handlers' errors itself, and nobody is closed.
 *
 * Colyseus 0.18 drops the promise of a message handler, and that of `onLeave` after `onDrop`: Node takes the rejection for an uncaught
 * exception, on which Colyseus shuts the server down.
 * @returns undoes it
 */
export function guardHandlers(): () => void {
  const undo = (["onMessage", "onMessageBytes"] as const).map((method) =>
    replaceMethod(Room.prototype, method, (original, room) => (...parameters) => {
      const handler = parameters.at(-1);
      if ((room as Room).onUncaughtException !== undefined || typeof handler !== "function")
        return original(...parameters);
      return original(...parameters.slice(0, -1), guarded(handler as Handler, parameters[0] === "*"));
    }),
  );
  undo.push(
    replaceMethod(Room.prototype, "_onLeave", (original, room) => (...parameters) => {
      guardLeave(room as Room);
      return original(...parameters);
    }),
  );
  return () => {
    for (const each of undo) each();
  };
}

function guarded(handler: Handler, isForAll: boolean): Handler {
  return (client, ...rest) => {
    const result = handler(client, ...rest);
    // A request's rejection is its answer; the handler for all types gets none.
    if (isRejectable(result) && (isForAll || !isRequest(rest[1]))) {
      result.catch((error: unknown) => {
        debugAndPrintError(error as Error);
        client.leave(CloseCode.WITH_ERROR, "message could not be handled");
      });
    }
    return result;
  };
}

function isRejectable(result: unknown): result is Pick<Promise<unknown>, "catch"> {
  return typeof (result as Partial<Promise<unknown>> | null | undefined)?.catch === "function";
}

/** What Colyseus hands to the handler of a request has its id. */
function isRequest(context: unknown): boolean {
  return typeof (context as { id?: unknown } | undefined)?.id === "number";
}

const guardedRooms = new WeakSet<Room>();

/** Colyseus catches what the first call of the two throws, and not the second's. */
function guardLeave(room: Room): void {
  if (guardedRooms.has(room) || !room.onLeave) return;
  guardedRooms.add(room);
  const onLeave = room.onLeave.bind(room);
  room.onLeave = async (...parameters) => {
    try {
      await onLeave(...parameters);
    } catch (error) {
      debugAndPrintError(new ServerError(CloseCode.WITH_ERROR, "onLeave error", { cause: error }));
    }
  };
}
